package updated

import (
	"cmp"
	"context"
	"errors"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/capnpgen/powers"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/vat"
	"nexus/libupdates/policy"
	"nexus/libupdates/trust"
	"nexus/libupdates/updater"
)

// verifyBy is the verification by keystored: this process holds no key and cannot be talked into trusting one.
func verifyBy(verifier *vat.Holding) updater.Verify {
	return func(ctx context.Context, message, signature []byte) (key trust.PublicKey, err error) {
		ctx, cancel := bounded(ctx)
		defer cancel()
		err = verifier.Call(ctx, func(client capnp.Client) error {
			key, err = convert.Verify(ctx, keystore.Verifier(client), message, signature)
			return err
		})
		return key, err
	}
}

// An admission asks keystored what may be installed anew.
type admission struct{ holding *vat.Holding }

// Admit asks whether a set may be installed.
func (a admission) Admit(ctx context.Context, message, proof []byte) error {
	return a.call(ctx, func(ctx context.Context, client keystore.SetAdmission) error {
		answer, release := client.Admit(ctx, func(p keystore.SetAdmission_admit_Params) error {
			return errors.Join(p.SetMessage_(message), p.SetSignature(proof))
		})
		defer release()
		res, err := answer.Struct()
		if err != nil {
			return err
		}
		return convert.Refused(res.Refusal())
	})
}

// TakeRoots passes the roots of a set on.
func (a admission) TakeRoots(ctx context.Context, raw []byte, installed []updater.Installed) error {
	return a.call(ctx, func(ctx context.Context, client keystore.SetAdmission) error {
		answer, release := client.TakeRoots(ctx, func(p keystore.SetAdmission_takeRoots_Params) error {
			return errors.Join(p.SetRoots(raw), setInstalled(p.NewInstalled, installed))
		})
		defer release()
		res, err := answer.Struct()
		if err != nil {
			return err
		}
		return convert.Refused(res.Refusal())
	})
}

// setInstalled fills a list of sets.
func setInstalled(make func(int32) (keystore.Installed_List, error), sets []updater.Installed) error {
	list, err := make(int32(len(sets)))
	if err != nil {
		return err
	}
	for i, set := range sets {
		list.At(i).SetNeeded(set.Needed)
		if err := errors.Join(list.At(i).SetIndex(set.Index), list.At(i).SetSignature(set.Proof)); err != nil {
			return err
		}
	}
	return nil
}

func (a admission) call(ctx context.Context, do func(context.Context, keystore.SetAdmission) error) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return a.holding.Call(ctx, func(client capnp.Client) error { return do(ctx, keystore.SetAdmission(client)) })
}

// judgeBy is the decision of initd on what a set asks for, and if it is older, on going down to it: this process cannot
// grant anything.
func judgeBy(judge *vat.Holding, older bool) updater.Judge {
	return func(ctx context.Context, publisher trust.PublicKey, set []policy.Asking) error {
		ctx, cancel := bounded(ctx)
		defer cancel()
		return judge.Call(ctx, func(client capnp.Client) error {
			_, refused, err := convert.Judge(ctx, powers.PowerJudge(client), publisher, set, older)
			return cmp.Or(err, refused)
		})
	}
}

// A journal is the log as the engine has it.
type journal struct{ *logclient.Log }

// Audit records a step.
func (j journal) Audit(a updater.Audit) {
	digest := ""
	if !a.Digest.IsZero() {
		digest = a.Digest.String()
	}
	j.Log.Audit(logclient.Audit{
		Op: a.Op, App: a.App, Slot: a.Slot.String(), Version: a.Version, Digest: digest, Size: a.Size, Reused: a.Reused,
		Result: string(a.Result), Reason: string(a.Reason), Detail: a.Detail,
		By: logclient.Caller(a.By),
	})
}

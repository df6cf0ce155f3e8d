package updated

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/vat"
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

// A journal is the log as the engine has it.
type journal struct{ *logclient.Log }

// Audit records a step.
func (j journal) Audit(a updater.Audit) {
	digest := ""
	if !a.Digest.IsZero() {
		digest = a.Digest.String()
	}
	j.Log.Audit(logclient.Audit{
		Op: a.Op, Slot: a.Slot.String(), Version: a.Version, Digest: digest, Size: a.Size, Reused: a.Reused,
		Result: string(a.Result), Reason: string(a.Reason), Detail: a.Detail,
	})
}

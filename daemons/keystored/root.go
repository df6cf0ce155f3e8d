package keystored

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"nexus/capnpgen/keystore"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
	"nexus/packaging/release"
)

// clockOf is what this device can say about the time besides what it has seen signed.
func clockOf(clock plat.Clock) func() roots.Clock {
	return func() roots.Clock {
		return roots.Clock{Wall: millis(clock.Now()), Built: millis(release.Built())}
	}
}

// millis is a time in milliseconds since 1970; earlier ones are 0.
func millis(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

// verify returns who made the first signature of a proof, of a set that may run.
func (t *trusted) verify(role trust.Role, message, proof []byte) (trust.PublicKey, error) {
	if t.root == nil {
		return t.folder.Verify(role, message, proof)
	}
	signature, more, err := trust.SplitProof(proof)
	if err != nil {
		return trust.PublicKey{}, err
	}
	verdict, err := t.root.VerifyInstalled(t.folder, role, message, signature, more)
	return verdict.Publisher, err
}

// admit decides whether a set may be installed anew. It returns the time that the set attests.
func (t *trusted) admit(message, proof []byte, clock roots.Clock) (uint64, error) {
	signature, more, err := trust.SplitProof(proof)
	if err != nil {
		return 0, err
	}
	var verdict roots.Verdict
	index, err := nxs.VerifyIndex(message, proof, func(_, _ []byte) (trust.PublicKey, error) {
		verdict, err = t.root.Root.Verify(trust.RoleSystem, message, signature, more)
		return verdict.Publisher, err
	})
	if err != nil {
		return 0, err
	}
	set := roots.Set{Version: index.SystemVersion, Issued: index.TimestampUnixMs, Expires: index.ExpiresUnixMs}
	for _, b := range index.Bundles {
		set.Bundles = append(set.Bundles, roots.Bundle{Name: b.Name, Version: b.Version})
	}
	return set.Issued, t.root.Admit(verdict, set, clock)
}

// admit decides about a set, and keeps the time that an admitted one attests.
func (k *keys) admit(message, proof []byte) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	now := k.now.Load()
	if now.root == nil {
		_, err := now.folder.Verify(trust.RoleSystem, message, proof)
		return err
	}
	attested, err := now.admit(message, proof, k.clock())
	if err != nil || attested <= now.root.Seen {
		return err
	}
	return k.keep(now.root.Saw(attested))
}

// update goes on to the last of these roots, or begins with the pinned one where there is none.
func (k *keys) update(raw, pin []byte) (roots.State, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	before := k.now.Load().root
	next, err := updated(before, raw, pin, k.clock())
	if err == nil && (before == nil || next.Root.Version != before.Root.Version) {
		err = k.keep(next)
	} else if err == nil {
		return next, nil // nothing new
	}
	k.audit(next, err)
	return next, err
}

// updated returns the state after these roots.
func updated(before *roots.State, raw, pin []byte, clock roots.Clock) (roots.State, error) {
	chain, err := roots.Split(raw)
	if err != nil {
		return roots.State{}, err
	}
	if before != nil {
		return before.Update(chain, clock)
	}
	if len(pin) != len(roots.Digest{}) {
		return roots.State{}, refusal.New(refusal.RootNotPinned,
			"there is no root yet, and none is named to begin with")
	}
	return roots.Begin(chain, roots.Digest(pin), clock)
}

// keep stores a root, and then goes by it.
func (k *keys) keep(state roots.State) error {
	if err := k.store.keep(state); err != nil {
		return err
	}
	k.now.Store(&trusted{k.now.Load().folder, &state})
	return nil
}

func (k *keys) audit(state roots.State, err error) {
	a := logclient.Audit{Op: "root", Result: logclient.ResultOK}
	if err != nil {
		a.Result, a.Reason = logclient.ResultRefused, string(refusal.Of(err))
	} else {
		a.Version, a.Digest = strconv.FormatUint(state.Root.Version, 10), state.Signed.Digest().String()
		a.Detail = fmt.Sprintf("family=%s", state.Root.Family)
	}
	k.log.Audit(a)
}

// An admission serves SetAdmission.
type admission struct{ keys *keys }

// Admit decides about a set.
func (a *admission) Admit(_ context.Context, call keystore.SetAdmission_admit) error {
	message, err := call.Args().Message_()
	if err != nil {
		return err
	}
	proof, err := call.Args().Signature()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return convert.Refuse(res.NewRefusal, a.keys.admit(message, proof))
}

// TakeRoots goes on to the roots of a set. Without a root they are not for this device.
func (a *admission) TakeRoots(_ context.Context, call keystore.SetAdmission_takeRoots) error {
	raw, err := call.Args().Roots()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if a.keys.now.Load().root == nil {
		return nil
	}
	_, err = a.keys.update(raw, nil)
	return convert.Refuse(res.NewRefusal, err)
}

// Update goes on to these roots.
func (r *reloader) Update(_ context.Context, call keystore.TrustReload_update) error {
	raw, err := call.Args().Roots()
	if err != nil {
		return err
	}
	pin, err := call.Args().Pin()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	state, err := r.keys.update(raw, pin)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	res.SetVersion(state.Root.Version)
	return nil
}

// Root returns the present root.
func (r *reader) Root(_ context.Context, call keystore.TrustAnchors_root) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	root := r.keys.now.Load().root
	if root == nil {
		return nil
	}
	res.SetSeenUnixMs(root.Seen)
	return res.SetRoot(root.Signed.Encode())
}

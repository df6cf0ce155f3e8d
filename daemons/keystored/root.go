package keystored

import (
	"context"
	"crypto/sha256"
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

// verify returns who signed a message that may run, and by which root.
func (t *trusted) verify(role trust.Role, message, proof []byte) (roots.Verdict, error) {
	if t.root == nil {
		key, err := t.folder.Verify(role, message, proof)
		return roots.Verdict{Role: role, Publisher: key}, err
	}
	signature, more, err := trust.SplitProof(proof)
	if err != nil {
		return roots.Verdict{}, err
	}
	return t.root.VerifyInstalled(t.folder, role, message, signature, more)
}

// verifyNew is verify by what counts for new sets.
func (t *trusted) verifyNew(role trust.Role, message, proof []byte) (roots.Verdict, error) {
	if t.root == nil {
		return t.verify(role, message, proof)
	}
	signature, more, err := trust.SplitProof(proof)
	if err != nil {
		return roots.Verdict{}, err
	}
	return t.root.Root.Verify(role, message, signature, more)
}

// admit decides whether a set may be installed anew. It returns the time that the set attests.
func (t *trusted) admit(verdict roots.Verdict, message, proof []byte, clock roots.Clock) (uint64, error) {
	index, err := nxs.VerifyIndex(message, proof, func(_, _ []byte) (trust.PublicKey, error) {
		return verdict.Publisher, nil
	})
	if err != nil || t.root == nil {
		return 0, err
	}
	set := index.Claim()
	return set.Issued, t.root.Admit(verdict, set, clock)
}

// A checked message is one whose signatures were verified.
type checked struct {
	by             *trusted
	message, proof [sha256.Size]byte
	verdict        roots.Verdict
}

// note remembers a verdict. Who stages a set has its signatures verified, and then asks for its admission: they are
// verified once.
func (k *keys) note(by *trusted, message, proof []byte, verdict roots.Verdict) {
	k.last.Store(&checked{by, sha256.Sum256(message), sha256.Sum256(proof), verdict})
}

// verdictOn returns who signed a set that is new.
func (k *keys) verdictOn(now *trusted, message, proof []byte) (roots.Verdict, error) {
	last := k.last.Load()
	if last != nil && last.by == now && last.verdict.Role == trust.RoleSystem && now.counts(last.verdict) &&
		last.message == sha256.Sum256(message) && last.proof == sha256.Sum256(proof) {
		return last.verdict, nil
	}
	return now.verifyNew(trust.RoleSystem, message, proof)
}

// counts reports whether a verdict is by what counts for new sets.
func (t *trusted) counts(verdict roots.Verdict) bool {
	return t.root == nil || verdict.Root == t.root.Root.Version
}

// admit decides about a set, and keeps the time that an admitted one attests.
func (k *keys) admit(message, proof []byte) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	if err := k.attest(); err != nil {
		return err
	}
	now := k.now.Load()
	verdict, err := k.verdictOn(now, message, proof)
	if err != nil {
		return err
	}
	attested, err := now.admit(verdict, message, proof, k.clock())
	if err != nil || now.root == nil || attested <= now.root.Seen {
		return err
	}
	return k.keep(now.root.Saw(attested))
}

// update goes on to the last of these roots, or begins with the pinned one where there is none.
func (k *keys) update(raw, pin []byte) (roots.State, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	if err := k.attest(); err != nil {
		return roots.State{}, err
	}
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

// attestEvery is how far the clock may run ahead of the stored time, and how often it is looked at.
const attestEvery = time.Hour

// attest counts the time on the clock as seen, so that a clock that falls back makes nothing valid again that had
// expired. The caller holds changing. A clock that is wrong for a moment at the start attests nothing: it is looked at
// before each decision, and once every attestEvery.
func (k *keys) attest() error {
	now := k.now.Load()
	if now.root == nil {
		return nil
	}
	state := now.root.Saw(now.root.Now(k.clock()))
	if state.Seen-now.root.Seen < uint64(attestEvery.Milliseconds()) {
		return nil
	}
	return k.keep(state)
}

// watchClock attests the time until ctx ends.
func (k *keys) watchClock(ctx context.Context, clock plat.Clock) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-clock.After(attestEvery):
		}
		k.changing.Lock()
		if err := k.attest(); err != nil {
			k.log.Warn("cannot store time", "error", err)
		}
		k.changing.Unlock()
	}
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

package keystored

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"nexus/capnpgen/keystore"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// update moves on to the last of these roots, or begins with the pinned one if there is none yet. It returns the
// versions of the sets that are stopped by that.
func (k *keys) update(
	raw, pin []byte, sets []installed, by logclient.Caller,
) (roots.State, []string, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	var next roots.State
	err := k.attest()
	now := k.now.Load()
	if err == nil {
		next, err = updated(now.root, raw, pin, k.clock())
	}
	if err == nil && now.root != nil && next.Root.Version == now.root.Root.Version {
		return next, nil, nil // nothing new
	}
	var stopped []string
	if err == nil {
		stopped, err = now.stopped(&trusted{now.folder, &next}, sets)
	}
	if err == nil {
		err = k.keep(next)
	}
	k.audit(next, stopped, err, by)
	return next, stopped, err
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

// keep stores a root, and then uses it.
func (k *keys) keep(state roots.State) error {
	if err := k.store.keep(state); err != nil {
		return err
	}
	k.now.Store(&trusted{k.now.Load().folder, &state})
	return nil
}

func (k *keys) audit(state roots.State, stopped []string, err error, by logclient.Caller) {
	a := logclient.Audit{Op: "root", By: by}
	if err == nil {
		a.Version, a.Digest = strconv.FormatUint(state.Root.Version, 10), state.Signed.Digest().String()
		a.Detail = fmt.Sprintf("family=%s", state.Root.Family)
		if len(stopped) > 0 {
			a.Detail += " stops=" + strings.Join(stopped, ",")
		}
	}
	k.log.Audit(a.Outcome(err))
}

// An admission serves SetAdmission.
type admission struct {
	keys *keys
	role trust.Role // of the sets that it decides about
}

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
	return convert.Answer(call.AllocResults, a.keys.admit(a.role, message, proof))
}

// TakeRoots moves on to the roots of a set. Without a root they are not for this device.
func (a *admission) TakeRoots(_ context.Context, call keystore.SetAdmission_takeRoots) error {
	raw, err := call.Args().Roots()
	if err != nil {
		return err
	}
	sets, err := installedOf(call.Args().Installed())
	if err != nil {
		return err
	}
	if a.keys.now.Load().root == nil {
		return nil
	}
	_, _, err = a.keys.update(raw, nil, sets, logclient.Caller{})
	return convert.Answer(call.AllocResults, err)
}

// Update moves on to these roots.
func (r *reloader) Update(_ context.Context, call keystore.TrustReload_update) error {
	raw, err := call.Args().Roots()
	if err != nil {
		return err
	}
	pin, err := call.Args().Pin()
	if err != nil {
		return err
	}
	sets, err := installedOf(call.Args().Installed())
	if err != nil {
		return err
	}
	by, err := callerOf(call.Args())
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	state, stopped, err := r.keys.update(raw, pin, sets, by)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	res.SetVersion(state.Root.Version)
	return vat.SetTexts(res.NewStopped, stopped)
}

// callerOf reads which operator asked, as initd says.
func callerOf(args keystore.TrustReload_update_Params) (by logclient.Caller, err error) {
	if by.Role, err = args.Role(); err != nil {
		return by, err
	}
	if by.Connection, err = args.Connection(); err != nil {
		return by, err
	}
	by.Attenuation, err = args.Attenuation()
	return by, err
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
	return errors.Join(res.SetRoot(root.Signed.Encode()), res.SetEarlier(root.Earlier()))
}

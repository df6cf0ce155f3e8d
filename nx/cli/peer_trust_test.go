package cli_test

import (
	"context"
	"errors"
	"slices"

	"nexus/capnpgen/keystore"
	"nexus/capnpgen/operator"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// A peerTrust knows which keys are trusted. It forgets none that was the only one.
type peerTrust struct{ p *peer }

func (t *peerTrust) List(_ context.Context, call keystore.TrustAnchors_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	anchors := t.p.state.keys.List()
	list, err := res.NewAnchors(int32(len(anchors)))
	if err != nil {
		return err
	}
	for i, a := range anchors {
		if err := list.At(i).SetRole(string(a.Role)); err != nil {
			return err
		}
		if err := list.At(i).SetPublicKey(a.Key[:]); err != nil {
			return err
		}
	}
	return nil
}

// Root returns the roots that the test has given; the last one is the present one.
func (t *peerTrust) Root(_ context.Context, call keystore.TrustAnchors_root) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	var earlier []byte
	for i, s := range t.p.state.roots {
		if i == len(t.p.state.roots)-1 {
			res.SetSeenUnixMs(t.p.state.seen)
			return errors.Join(res.SetRoot(s.Encode()), res.SetEarlier(earlier))
		}
		earlier = append(earlier, s.Encode()...)
	}
	return nil
}

// Update accepts any root where there is one, and says that it stops a set.
func (t *peerTrust) Update(_ context.Context, call operator.TrustEditor_update) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	if n := len(t.p.state.roots); n > 0 {
		res.SetVersion(t.p.state.roots[n-1].Version + 1)
		res.SetKept(!t.p.state.machine)
		return vat.SetTexts(res.NewStopped, []string{"1.0.0\x1b[2J"})
	}
	return convert.Refuse(res.NewRefusal, refusal.New(refusal.RootNotPinned, "no root is the one to begin with"))
}

func (t *peerTrust) Add(_ context.Context, call operator.TrustEditor_add) error {
	role, _ := call.Args().Role()
	raw, _ := call.Args().PublicKey()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	res.SetKept(!t.p.state.machine)
	t.p.state.keys = t.p.state.keys.Add(trust.Role(role), trust.PublicKey(raw))
	return nil
}

func (t *peerTrust) Remove(_ context.Context, call operator.TrustEditor_remove) error {
	role, _ := call.Args().Role()
	raw, _ := call.Args().PublicKey()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	res.SetKept(!t.p.state.machine)
	left := t.p.state.keys.List()
	if len(left) == 1 {
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.LastKey, "it is the only one"))
	}
	gone := trust.Anchor{Role: trust.Role(role), Key: trust.PublicKey(raw)}
	t.p.state.keys = trust.NewAnchors(slices.DeleteFunc(left, func(a trust.Anchor) bool { return a == gone })...)
	return nil
}

package nxspack

import (
	"fmt"

	"nexus/libupdates/nxs"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// A basis is what a device trusts, which a set is checked for: publishers, or a root.
type basis struct {
	anchors trust.Anchors
	state   *roots.State // nil without a root
	clock   roots.Clock
}

// verify is an nxs.VerifyFunc.
func (b *basis) verify(message, proof []byte) (trust.PublicKey, error) {
	if b.state == nil {
		return b.anchors.Verify(trust.RoleSystem, message, proof)
	}
	verdict, err := b.verdict(message, proof)
	return verdict.Publisher, err
}

func (b *basis) verdict(message, proof []byte) (roots.Verdict, error) {
	signature, more, err := trust.SplitProof(proof)
	if err != nil {
		return roots.Verdict{}, err
	}
	return b.state.Root.Verify(trust.RoleSystem, message, signature, more)
}

// takeRoots goes on to the roots that a set brings, as the device does before it looks at the set.
func (b *basis) takeRoots(raw []byte) error {
	if b.state == nil {
		return nil
	}
	chain, err := roots.Split(raw)
	if err != nil {
		return err
	}
	next, err := b.state.Update(chain, b.clock)
	if err == nil {
		b.state = &next
	}
	return err
}

// admit decides whether the device would install the set.
func (b *basis) admit(head *nxs.Head) error {
	if b.state == nil {
		return nil
	}
	verdict, err := b.verdict(head.Raw, head.Proof())
	if err != nil {
		return err
	}
	return b.state.Admit(verdict, head.Index.Claim(), b.clock)
}

// text says which root it was.
func (b *basis) text() string {
	if b.state == nil {
		return ""
	}
	return fmt.Sprintf("under: root %d of %s\n", b.state.Root.Version, b.state.Root.Family)
}

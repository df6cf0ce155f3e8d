package keystored

import (
	"crypto/sha256"

	"nexus/libupdates/nxs"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

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
func (k *keys) verdictOn(now *trusted, role trust.Role, message, proof []byte) (roots.Verdict, error) {
	last := k.last.Load()
	if last != nil && last.by == now && last.verdict.Role == role && now.counts(last.verdict) &&
		last.message == sha256.Sum256(message) && last.proof == sha256.Sum256(proof) {
		return last.verdict, nil
	}
	return now.verifyNew(role, message, proof)
}

// counts reports whether a verdict is by what counts for new sets.
func (t *trusted) counts(verdict roots.Verdict) bool {
	return t.root == nil || verdict.Root == t.root.Root.Version
}

// admit decides about a set, and keeps the time that an admitted one attests.
func (k *keys) admit(role trust.Role, message, proof []byte) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	if err := k.attest(); err != nil {
		return err
	}
	now := k.now.Load()
	verdict, err := k.verdictOn(now, role, message, proof)
	if err != nil {
		return err
	}
	attested, err := now.admit(verdict, message, proof, k.clock())
	if err != nil || now.root == nil || attested <= now.root.Seen {
		return err
	}
	return k.keep(now.root.Saw(attested))
}

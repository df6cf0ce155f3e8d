package keystored

import (
	"errors"

	"nexus/capnpgen/keystore"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// An installed set is one that a slot holds.
type installed struct {
	index, proof []byte
	needed       bool // the device could be left without a set if this one could not run
}

// installedOf takes what the getter of a call's arguments returns.
func installedOf(list keystore.Installed_List, err error) ([]installed, error) {
	if err != nil {
		return nil, err
	}
	sets := make([]installed, min(list.Len(), maxInstalled))
	for i := range sets {
		set := list.At(i)
		index, badIndex := set.Index()
		proof, badProof := set.Signature()
		if err := errors.Join(badIndex, badProof); err != nil {
			return nil, err
		}
		sets[i] = installed{index, proof, set.Needed()}
	}
	return sets, nil
}

// maxInstalled is how many slots a device has.
const maxInstalled = 2

// stopped returns the versions of the sets that may run until now, and not any more once next counts. If one of them is
// needed, that is refused as LocksOut.
func (t *trusted) stopped(next *trusted, sets []installed) (versions []string, err error) {
	for _, set := range sets {
		verdict, err := t.verify(trust.RoleSystem, set.index, set.proof)
		if err != nil {
			continue // it does not run in any case
		}
		_, refused := next.verify(trust.RoleSystem, set.index, set.proof)
		if refused == nil {
			continue
		}
		index, err := nxs.VerifyIndex(set.index, set.proof, func(_, _ []byte) (trust.PublicKey, error) {
			return verdict.Publisher, nil
		})
		switch {
		case err != nil:
			continue
		case set.needed:
			return nil, refusal.New(refusal.LocksOut,
				"the set %s, which the device needs, could not run under it: %v; install one that can first",
				index.SystemVersion, refused)
		}
		versions = append(versions, index.SystemVersion)
	}
	return versions, nil
}

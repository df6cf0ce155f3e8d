package bootctl

import (
	"nexus/libupdates/refusal"
	"nexus/libupdates/semver"
)

// The version floor keeps an old set, signed as properly as ever, from bringing old faults back. It rises when a set
// that asks for it is confirmed for good: while there is a watch, the set before must be able to return. Only an
// operator lowers it.

// belowFloor refuses, as VersionFloor, a set that is older than the floor. Versions are compared by the precedence of
// SemVer 2.0.0; if there is a floor, what is not a version is below it.
func (r Record) belowFloor(c Content) error {
	if r.Floor == "" || !older(c.Version, r.Floor) {
		return nil
	}
	return refusal.New(refusal.VersionFloor, "set %s is older than the version floor %s", c.Version, r.Floor)
}

// older reports whether a version precedes another one.
func older(version, than string) bool {
	if !semver.Valid(version) {
		return true
	}
	return semver.Valid(than) && semver.Compare(version, than) < 0
}

// raiseFloor raises the floor to what the active set asks for, never above its own version. A staged set that is then
// below it is no longer staged.
func (r *draft) raiseFloor() {
	c := r.Slot(r.Active)
	if c.Floor == "" || older(c.Version, c.Floor) || r.Floor != "" && !older(r.Floor, c.Floor) {
		return
	}
	r.Floor = c.Floor
	r.append(Event{Op: OpFloor, Slot: r.Active, Version: c.Floor, Digest: c.Digest, Boot: r.Boot})
	r.recheckStaged()
}

// LowerFloor lowers the floor to a version; empty removes it. The floor that the active set asks for applies again when
// that set is confirmed the next time. Refused as BadVersion, or as FloorNotLower.
func (r Record) LowerFloor(version string) (Record, error) {
	if version != "" && (!semver.Valid(version) || len(version) > maxVersion) {
		return r, refusal.New(refusal.BadVersion, "version %.80q is no SemVer 2.0.0 of at most %d characters", version,
			maxVersion)
	}
	switch {
	case r.Floor == "":
		return r, refusal.New(refusal.FloorNotLower, "there is no version floor")
	case version != "" && !older(version, r.Floor):
		return r, refusal.New(refusal.FloorNotLower, "%s is not lower than the version floor %s", version, r.Floor)
	}
	next := r.draft()
	next.Floor = version
	next.append(Event{Op: OpFloor, Version: version, Boot: r.Boot})
	return next.Record, nil
}

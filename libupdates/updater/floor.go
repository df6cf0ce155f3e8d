package updater

import (
	"fmt"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/slots"
)

// A FloorPolicy is what a device makes of the version floors that sets ask for.
type FloorPolicy string

// The policies.
const (
	FloorSigned FloorPolicy = "signed" // a set raises the floor to what it asks for
	FloorAlways FloorPolicy = "always" // every set raises it to its own version
	FloorNever  FloorPolicy = "never"  // no set raises it
)

// ParseFloorPolicy reads the name of a policy.
func ParseFloorPolicy(text string) (FloorPolicy, error) {
	switch p := FloorPolicy(text); p {
	case FloorSigned, FloorAlways, FloorNever:
		return p, nil
	}
	return "", fmt.Errorf("%q is not signed, always or never", text)
}

// of is the floor that a set asks for under the policy.
func (p FloorPolicy) of(x nxs.Index) string {
	switch p {
	case FloorAlways:
		return x.SystemVersion
	case FloorNever:
		return ""
	default:
		return x.VersionFloor
	}
}

// recorded is what a slot holds as the record has it.
func (p FloorPolicy) recorded(c slots.Content) bootctl.Content {
	if c.Damage != "" {
		return bootctl.Content{Damage: c.Damage}
	}
	return p.candidate(c.Digest, nxs.Index{SystemVersion: c.Version, VersionFloor: c.Floor})
}

// candidate is a set as the record would have it.
func (p FloorPolicy) candidate(digest nxs.Digest, x nxs.Index) bootctl.Content {
	if digest.IsZero() {
		return bootctl.Content{}
	}
	return bootctl.Content{Digest: bootctl.Digest(digest), Version: x.SystemVersion, Floor: p.of(x)}
}

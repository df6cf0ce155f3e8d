package updated

import (
	"context"
	"fmt"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/slots"
)

// A floorPolicy is what this device makes of the version floors that sets ask for.
type floorPolicy string

const (
	floorSigned floorPolicy = "signed" // a set raises the floor to what it asks for
	floorAlways floorPolicy = "always" // every set raises it to its own version
	floorNever  floorPolicy = "never"  // no set raises it
)

func parseFloorPolicy(text string) (floorPolicy, error) {
	switch p := floorPolicy(text); p {
	case floorSigned, floorAlways, floorNever:
		return p, nil
	}
	return "", fmt.Errorf("cannot use setting floor: %q is not signed, always or never", text)
}

// of is the floor that a set asks for here.
func (p floorPolicy) of(x nxs.Index) string {
	switch p {
	case floorAlways:
		return x.SystemVersion
	case floorNever:
		return ""
	default:
		return x.VersionFloor
	}
}

// recorded is what a slot holds as the record has it, under this device's policy.
func (e *engine) recorded(c slots.Content) bootctl.Content {
	if c.Damage != "" {
		return bootctl.Content{Damage: c.Damage}
	}
	return e.candidate(c.Digest, nxs.Index{SystemVersion: c.Version, VersionFloor: c.Floor})
}

// candidate is a set as the record would have it.
func (e *engine) candidate(digest nxs.Digest, x nxs.Index) bootctl.Content {
	if digest.IsZero() {
		return bootctl.Content{}
	}
	return bootctl.Content{Digest: bootctl.Digest(digest), Version: x.SystemVersion, Floor: e.floor.of(x)}
}

// LowerFloor lowers the version floor.
func (s *recoveryServer) LowerFloor(_ context.Context, call update.UpdateRecovery_lowerFloor) error {
	call.Go()
	version, err := call.Args().SystemVersion()
	if err != nil {
		return err
	}
	err = s.engine.lowerFloor(version)
	res, allocErr := call.AllocResults()
	if err == nil || allocErr != nil {
		return allocErr
	}
	return convert.Refuse(res.NewRefusal, err)
}

func (e *engine) lowerFloor(version string) error {
	err := e.change(func(r bootctl.Record) (bootctl.Record, error) { return r.LowerFloor(version) })
	e.audit("floor", subject{version: version}, err)
	return err
}

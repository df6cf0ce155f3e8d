package nxs

import (
	"fmt"

	"github.com/Masterminds/semver/v3"

	"nexus/capnpgen/systemset"
	"nexus/libupdates/framing"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

// CheckFloor refuses a version floor that a set of that version cannot ask for: no SemVer (BadVersion), or above the set's own version
// (BadIndex), for then it would keep itself out. Empty asks for none.
func CheckFloor(floor, systemVersion string) error {
	if floor == "" {
		return nil
	}
	if err := nxb.CheckVersion(floor); err != nil {
		return err
	}
	own, err := semver.StrictNewVersion(systemVersion)
	if err != nil {
		return refusal.New(refusal.BadVersion, "version %q is no SemVer 2.0.0", systemVersion)
	}
	if below, err := semver.StrictNewVersion(floor); err != nil || own.LessThan(below) {
		return badIndex(fmt.Errorf("the version floor %s is above the set's own version %s", floor, systemVersion))
	}
	return nil
}

func readFloor(root systemset.SystemSetIndex, systemVersion string) (string, error) {
	text, err := root.VersionFloor()
	floor, err := framing.Text(text, err, maxText)
	if err != nil {
		return "", badIndex(err)
	}
	return floor, CheckFloor(floor, systemVersion)
}

package nxs

import (
	"fmt"

	"nexus/capnpgen/systemset"
	"nexus/libupdates/message"
	"nexus/libupdates/nxb"
	"nexus/libupdates/semver"
)

// CheckFloor refuses a version floor that a set of that version cannot have: one that is not SemVer (BadVersion), or
// one above the set's own version (BadIndex), which would refuse the set itself. An empty floor means none.
func CheckFloor(floor, systemVersion string) error {
	if floor == "" {
		return nil
	}
	if err := nxb.CheckVersion(floor); err != nil {
		return err
	}
	if err := nxb.CheckVersion(systemVersion); err != nil {
		return err
	}
	if semver.Compare(systemVersion, floor) < 0 {
		return badIndex(fmt.Errorf("the version floor %s is above the set's own version %s", floor, systemVersion))
	}
	return nil
}

func readFloor(root systemset.SystemSetIndex, systemVersion string) (string, error) {
	text, err := root.VersionFloor()
	floor, err := message.Text(text, err, maxText)
	if err != nil {
		return "", badIndex(err)
	}
	return floor, CheckFloor(floor, systemVersion)
}

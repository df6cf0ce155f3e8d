package console

import (
	"fmt"
	"slices"
	"strings"
)

// OTA returns the markers of the selftest on a system without persistent state: the factory set in slot a, a healthy
// set committed in slot b, a broken one tried twice in slot a and rolled back, its crash report found, two damaged ones
// refused, an app installed, upgraded, rolled back and uninstalled, and the chain of audit records verified.
func OTA() []string {
	return []string{
		"updated: ready (non-persistent)",
		"bundlemgrd: slot a active",
		"init: health ok (slot a)",
		"SELFTEST: ota stage ok",
		"bundlemgrd: slot b active",
		"SELFTEST: ota switch ok",
		"init: health ok (slot b)",
		"bundlemgrd: slot a active",
		"bundlemgrd: slot a active",
		"bundlemgrd: slot b active",
		"init: health ok (slot b)",
		"SELFTEST: ota rollback ok",
		"SELFTEST: crash report ok",
		"SELFTEST: ota reject signature ok",
		"SELFTEST: ota reject digest ok",
		"SELFTEST: pkg install ok",
		"SELFTEST: pkg upgrade ok",
		"SELFTEST: pkg rollback ok",
		"SELFTEST: pkg uninstall ok",
		"SELFTEST: journal verify ok",
	}
}

// Persistent returns the markers of the same flow on a system that keeps its state, from its first start on.
func Persistent() []string {
	markers := OTA()
	markers[0] = "updated: ready (statefs)"
	return markers
}

// Climb returns the markers that are still expected after a line. It fails if the line is a marker other than the first
// of them. Lines that are no markers are ignored.
func Climb(expected []string, line string) ([]string, error) {
	isMarker := slices.ContainsFunc([]string{"updated: ready", "bundlemgrd: slot ", "init: health ", "SELFTEST: "},
		func(prefix string) bool { return strings.HasPrefix(line, prefix) })
	switch {
	case !isMarker:
		return expected, nil
	case len(expected) == 0:
		return nil, fmt.Errorf("marker after the last one: %q", line)
	case line != expected[0]:
		return expected, fmt.Errorf("wrong marker: got %q, want %q", line, expected[0])
	}
	return expected[1:], nil
}

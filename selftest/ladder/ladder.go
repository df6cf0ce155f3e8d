// Package ladder knows the markers of the update flow and their order, and checks the lines of a console against them.
package ladder

import (
	"fmt"
	"strings"
)

// OTA returns the markers of the selftest on a system without persistent state: the factory set in slot a, a healthy
// set committed in slot b, a broken one tried twice in slot a and rolled back, and two damaged ones refused.
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
		"SELFTEST: ota reject signature ok",
		"SELFTEST: ota reject digest ok",
	}
}

// Persistent returns the markers of the same flow on a system that keeps its state, from its first start on.
func Persistent() []string {
	rungs := OTA()
	rungs[0] = "updated: ready (statefs)"
	return rungs
}

// prefixes are the prefixes of markers. Lines with one of them are checked; all others are ignored.
func prefixes() []string {
	return []string{"updated: ready", "bundlemgrd: slot ", "init: health ", "SELFTEST: "}
}

// A Climber tracks the position on a ladder.
type Climber struct {
	rungs []string
	next  int
}

// New returns a climber that waits for the first marker.
func New(rungs []string) *Climber { return &Climber{rungs: rungs} }

// Line takes the next line of a console. It returns an error if the line is a marker other than the expected one.
func (c *Climber) Line(line string) error {
	line = strings.TrimRight(line, "\r\n")
	if !isMarker(line) {
		return nil
	}
	if c.Done() {
		return fmt.Errorf("marker after the last one: %q", line)
	}
	if line != c.rungs[c.next] {
		return fmt.Errorf("wrong marker: got %q, want %q", line, c.rungs[c.next])
	}
	c.next++
	return nil
}

// Done reports whether the last marker was seen.
func (c *Climber) Done() bool { return c.next == len(c.rungs) }

// Missing returns the next expected marker, or "" if all were seen.
func (c *Climber) Missing() string {
	if c.Done() {
		return ""
	}
	return c.rungs[c.next]
}

func isMarker(line string) bool {
	for _, prefix := range prefixes() {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

// Package ladder knows the markers of the update flow and their order, and holds a console against them. It reads lines
// and nothing else: whoever runs a system feeds it that system's console.
package ladder

import (
	"fmt"
	"strings"
)

// OTA is the flow of the selftest on a system that does not keep its state: the factory set in slot a, a healthy set
// that is committed in slot b, a broken one that is tried twice in slot a and rolled back, two damaged ones that are
// refused.
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

// Persistent is the same flow on a system that keeps its state, from its first start on.
func Persistent() []string {
	rungs := OTA()
	rungs[0] = "updated: ready (statefs)"
	return rungs
}

// prefixes are how a marker begins. A line that begins so is held against the ladder; all others are let pass.
func prefixes() []string {
	return []string{"updated: ready", "bundlemgrd: slot ", "init: health ", "SELFTEST: "}
}

// A Climber is at one rung of a ladder.
type Climber struct {
	rungs []string
	next  int
}

// New returns a climber before the first rung.
func New(rungs []string) *Climber { return &Climber{rungs: rungs} }

// Line takes the next line of a console. It returns an error when the line is a marker other than the one that is due.
func (c *Climber) Line(line string) error {
	line = strings.TrimRight(line, "\r\n")
	if !isMarker(line) {
		return nil
	}
	if c.Done() {
		return fmt.Errorf("marker after the last one: %q", line)
	}
	if line != c.rungs[c.next] {
		return fmt.Errorf("wrong marker: got %q, due was %q", line, c.rungs[c.next])
	}
	c.next++
	return nil
}

// Done tells whether the last rung was reached.
func (c *Climber) Done() bool { return c.next == len(c.rungs) }

// Missing returns the marker that is due, or "" when all were seen.
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

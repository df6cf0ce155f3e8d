package damage

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"nexus/selftest/oracle"
)

// An Outcome is what may come of damage.
type Outcome string

// The outcomes. The first three are allowed, and the fourth where no slot holds an intact set: an operator can still
// bring one, which takes a system that answers. The last is of a cell that has nothing to change.
const (
	asBefore Outcome = "runs as before"
	other    Outcome = "the other slot, said"
	ended    Outcome = "ended, named"
	waits    Outcome = "nothing to run, said"
	none     Outcome = "none of these"
	nothing  Outcome = "nothing to change"
)

// When a look is taken.
type When string

const (
	started  When = "start"
	verified When = "verify"
	returned When = "rollback"
	switched When = "switch"
)

// unknown stands for what is wrong with a slot where that depends on who reads it.
const unknown = "?"

// Seen is what a look shows.
type Seen struct {
	Cell    Cell
	When    When
	Sets    oracle.Sets
	Settled bool // the system has confirmed a set and rests
	Answers bool // it has not, and answers
	Ended   bool
	Exit    int
	Lines   []string // of the console, since the start or the verb
	Told    []string // the same, since the damage
	State   oracle.State
	Slots   map[string]string // what is wrong with each, before the look
	Checks  []Check           // the answer of `nx verify`
	Err     error             // of the verb
	Wrong   []error           // with the processes
}

// judge tells which outcome it is, and what about it is not allowed. It looks at nothing but what it is given.
func judge(s Seen) (Outcome, []string) {
	switch {
	case s.Settled:
		return s.judgeRunning()
	case s.Ended:
		return s.judgeEnded()
	case s.When == verified && s.Err != nil && !isSlot(s.Cell.Path):
		return asBefore, nil // who asks does not get in; the next start decides
	}
	lines := said(s.Lines)
	switch daemon := looping(lines); {
	case s.Answers && s.Slots["a"] != "" && s.Slots["b"] != "" && (s.spokenSlot("a") || s.spokenSlot("b")):
		return waits, nil
	case daemon != "":
		return none, []string{fmt.Sprintf("never up after %s: crash loop of %s", s.When, daemon)}
	case len(lines) == 0:
		return none, []string{fmt.Sprintf("never up after %s, in silence", s.When)}
	}
	return none, []string{fmt.Sprintf("never up after %s: %q", s.When, lines[len(lines)-1])}
}

// judgeEnded wants one line, beside what daemons wrote, that names what is wrong, and it to be something that the set
// needs.
func (s Seen) judgeEnded() (Outcome, []string) {
	var wrong []string
	lines := slices.DeleteFunc(said(s.Lines), func(line string) bool { return !strings.HasPrefix(line, "nx: ") })
	switch {
	case s.When != started:
		wrong = append(wrong, fmt.Sprintf("ended by %s: %q", s.When, lines))
	case s.Exit <= 0:
		wrong = append(wrong, fmt.Sprintf("ended with status %d", s.Exit))
	case len(lines) == 0:
		wrong = append(wrong, "ended in silence")
	case !needed(s.Cell):
		wrong = append(wrong, fmt.Sprintf("ended for what is not needed: %q", lines[len(lines)-1]))
	case !spoken(lines, s.Cell.Path) && !(s.Cell.Way.Name == "deleted" && spoken(lines, filepath.Dir(s.Cell.Path))):
		wrong = append(wrong, fmt.Sprintf("ended and did not name it: %q", lines[len(lines)-1]))
	case len(lines) > 1:
		wrong = append(wrong, fmt.Sprintf("ended with %d lines: %q", len(lines), lines))
	}
	if len(wrong) > 0 {
		return none, wrong
	}
	return ended, nil
}

// needed reports whether no start can do without the thing: it cannot be made anew, and nothing stands in for it. Keys
// that a stranger owns end it as well: they may be meant, and then they are not to be set aside.
func needed(c Cell) bool {
	if strings.HasPrefix(c.Path, "trust") && c.Way.Name == "owner" {
		return true
	}
	return slices.Contains([]string{"system", "system/sets", "state", "state/boot", "state/statefs", "bundles", "roots",
		"lock"}, c.Path) ||
		strings.HasPrefix(c.Path, "trust") && !strings.HasSuffix(c.Path, "apps")
}

// judgeRunning holds a system that rests against what may be so.
func (s Seen) judgeRunning() (Outcome, []string) {
	slot, version := "a", activeSet
	if s.Cell.Time == inTrial || s.When == switched && s.Err == nil {
		slot, version = "b", trialSet
	}
	outcome, active := asBefore, s.Sets.Known(s.State.Active().Digest())
	var wrong []string
	switch {
	case active == nil:
		wrong = append(wrong, fmt.Sprintf("a wrong set runs: slot %s is healthy and empty", s.State.ActiveSlot))
	case active.Version == oldSet:
		wrong = append(wrong, "a wrong set runs: it is below the version floor")
	case active.Version == badSet:
		wrong = append(wrong, "a wrong set runs: it is in quarantine")
	case active.Version != version:
		outcome = other
		wrong = append(wrong, s.wrongMove(slot)...)
	}
	for _, err := range s.Wrong {
		wrong = append(wrong, "a wrong program runs: "+err.Error())
	}
	wrong = append(wrong, s.wrongRecord()...)
	wrong = append(wrong, s.wrongSlots()...)
	if len(wrong) > 0 {
		outcome = none
	}
	return outcome, wrong
}

// wrongMove finds what is wrong with the other slot's being back.
func (s Seen) wrongMove(from string) (wrong []string) {
	if s.When == returned {
		return nil // that is what was asked for
	}
	if len(said(s.Told)) == 0 {
		wrong = append(wrong, "unsaid: the other slot is back")
	}
	if s.Slots[from] == "" && !strings.HasPrefix(s.Cell.Path, "state") && s.Cell.Path != "system/"+from {
		wrong = append(wrong, "a good set was left")
	}
	return wrong
}

// unreadable are the ways after which a segment of the journal cannot be read.
var unreadable = []string{"emptied", "halved", "byte"}

// wrongRecord finds what was forgotten, or was noted and should not have been.
func (s Seen) wrongRecord() (wrong []string) {
	quarantine := false
	for _, q := range s.State.Quarantine {
		set := s.Sets.Known(q.IndexSHA256)
		quarantine = quarantine || set != nil && set.Version == badSet
		if set != nil && set.Version != badSet && (s.When != returned || s.Err != nil) {
			wrong = append(wrong, fmt.Sprintf("a good set is in quarantine: %s, for %s", set.Version, q.Reason))
		}
	}
	inState := strings.HasPrefix(s.Cell.Path, "state")
	loud := spoken(s.Told, "record") || spoken(s.Told, s.Cell.Path)
	aged := s.Cell.Way.Name == "older" || s.Cell.Way.Name == "first" // an older copy is what a cut leaves
	switch {
	case !quarantine && !(inState && loud):
		wrong = append(wrong, "unsaid: the quarantine is forgotten")
	case oracle.Text(s.State.VersionFloor) != floor && !(inState && loud):
		wrong = append(wrong, "unsaid: the version floor is forgotten")
	case s.When == started && strings.HasPrefix(s.Cell.Path, "state/boot/record") && !loud && !aged:
		wrong = append(wrong, "unsaid: a copy of the record was damaged")
	case s.When == started && isSegment(s.Cell.Path) && slices.Contains(unreadable, s.Cell.Way.Name) &&
		!spoken(s.Told, "journal on disk was damaged"):
		wrong = append(wrong, "unsaid: a segment of the journal was damaged")
	}
	return wrong
}

// wrongSlots holds what the system says of its slots against what is in them.
func (s Seen) wrongSlots() (wrong []string) {
	for _, c := range s.Checks {
		switch is := s.Slots[c.Slot]; {
		case is == unknown:
		case is == "" && !c.Intact:
			wrong = append(wrong, "verify: slot "+c.Slot+" is intact, and it says that it is not")
		case is != "" && c.Intact && !s.spokenSlot(c.Slot):
			wrong = append(wrong, "verify: slot "+c.Slot+" is called intact or empty: "+is)
		case is != "" && s.State.Slot(c.Slot).Good && s.State.Slot(c.Slot).Damage == nil:
			wrong = append(wrong, "status: slot "+c.Slot+" is called good: "+is)
		}
	}
	if s.When == verified && s.Checks == nil && !s.unreadable() {
		wrong = append(wrong, fmt.Sprintf("verify: no answer: %v", s.Err))
	}
	harmed := func(slot string) bool { return s.Slots[slot] != "" && s.Slots[slot] != unknown }
	switch {
	case s.When == returned && s.Err == nil && harmed("b"):
		wrong = append(wrong, "rollback: slot b was damaged: "+s.Slots["b"])
	case s.When == switched && s.Err == nil && harmed("a") && !s.spokenSlot("a"):
		wrong = append(wrong, "unsaid: the way back was damaged: "+s.Slots["a"])
	}
	return wrong
}

// unreadable reports whether the folder of the slots was closed to whoever checks them, and the answer says which slot
// cannot be read, and why. Nothing can be known about the slots then.
func (s Seen) unreadable() bool {
	closed := s.Cell.Path == "system" && s.Slots["a"] == unknown && s.Slots["b"] == unknown
	return closed && s.Err != nil && strings.Contains(s.Err.Error(), "cannot read slot a: ") &&
		strings.Contains(s.Err.Error(), "permission denied")
}

// spokenSlot reports whether the console says that something is wrong with a slot.
func (s Seen) spokenSlot(slot string) bool {
	named := regexp.MustCompile("(slot[= ]|system/)" + slot)
	return slices.ContainsFunc(said(s.Told), named.MatchString)
}

// ordinary are the lines of a start that nothing disturbs.
var ordinary = regexp.MustCompile(`^(updated: ready|bundlemgrd: slot . active|init: health ok|` +
	`updated: audit op=(health|verify|held) .*result=ok|\w+: \[warn\] \w+ are less confined on this machine)`)

// said are the lines that say something out of the ordinary.
func said(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), ordinary.MatchString)
}

// spoken reports whether a line names the thing at a path.
func spoken(lines []string, path string) bool {
	name := filepath.Base(path)
	return slices.ContainsFunc(said(lines), func(line string) bool {
		return strings.Contains(line, path) || len(name) > 1 && strings.Contains(line, name)
	})
}

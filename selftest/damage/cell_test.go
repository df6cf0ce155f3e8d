package damage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// A Result is what came of a cell.
type Result struct {
	Cell    Cell
	Outcome Outcome
	Wrong   []string
	Console []string
}

// cell runs one cell in a folder of its own.
func (c *Campaign) cell(t testing.TB, cell Cell, dir string) *Result {
	t.Cleanup(func() { remove(c.at(dir)) })
	l := c.newInstance(t, cell.User, filepath.Join(dir, "system"))
	r := &Result{Cell: cell, Outcome: none} // if the campaign itself fails
	defer func() { r.Console = l.host.Since(0) }()
	kit.Must(t, command("cp", "-a", c.at("base", cell.User.Name, cell.base())+"/.", l.system()))
	if cell.runs() {
		l.start()
	}
	if cell.Time == beforeSwitch {
		l.nx("stage", c.set(trialSet))
	}
	outside := c.at(dir, "outside")
	if !c.harm(t, cell, l.system(), outside) {
		r.Outcome = nothing
		return r
	}
	l.mark, l.harm = l.host.Shown(), l.host.Shown()
	switch cell.Time {
	case atIdle:
		c.look(r, l, verified)
		l.kill()
	case beforeRollback:
		c.look(r, l, returned)
	case beforeSwitch:
		c.look(r, l, switched)
	}
	if !cell.runs() || cell.Time == atIdle {
		c.restart(t, r, l, outside)
	} else {
		c.end(r, l)
	}
	return r
}

// restart starts the system on what the damage has left. What was moved outside before is none of its business.
func (c *Campaign) restart(t testing.TB, r *Result, l *instance, outside string) {
	before, err := kit.FingerprintOf(outside)
	kit.Must(t, err)
	l.begin()
	c.look(r, l, started)
	if r.Cell.Time != atIdle && l.host.Alive() && r.Outcome != none && r.Outcome != waits {
		c.look(r, l, verified)
	}
	c.end(r, l)
	after, err := kit.FingerprintOf(outside)
	kit.Must(t, err)
	for _, change := range before.Changes(after) {
		r.Wrong = append(r.Wrong, "outside: "+change)
	}
}

// harm does the damage, and reports whether there was anything to change.
func (c *Campaign) harm(t testing.TB, cell Cell, system, outside string) bool {
	kit.Must(t, os.Mkdir(outside, 0o755))
	target := Target{Path: filepath.Join(system, cell.Path), Aside: filepath.Join(outside, "moved")}
	for stand, place := range map[string]*string{older: &target.Older, first: &target.First} {
		path := c.at("base", cell.User.Name, stand, cell.Path)
		if _, err := os.Lstat(path); err == nil {
			*place = path
		}
	}
	changed, err := cell.Way.Do(target)
	kit.Must(t, err)
	return changed
}

// look waits for the system to rest, after it did what it was asked for, and judges what is seen.
func (c *Campaign) look(r *Result, l *instance, when When) {
	see := Seen{Cell: r.Cell, When: when, Slots: c.slots(r.Cell, l.system(), when), Sets: c.sets}
	switch when {
	case verified:
		see.Checks, see.Err = l.verify()
	case returned, switched:
		_, see.Err = l.host.Run(string(when))
	}
	see.State, see.Settled = l.settle(when)
	see.Ended, see.Lines = !l.host.Alive(), l.console()
	switch {
	case see.Settled:
		see.Wrong = l.host.Services(c.sets.Known(see.State.Active().Digest()), see.State.ActiveSlot)
	case see.Ended:
		if err := l.host.Gone(); err != nil {
			see.Wrong = []error{err}
		}
		see.Lines, see.Exit = l.console(), l.host.Exit()
	default:
		see.Answers = l.host.Ask(&see.State, "status") == nil
	}
	see.Told = l.host.Since(l.harm)
	outcome, wrong := judge(see)
	r.Outcome = outcome
	r.Wrong = append(r.Wrong, wrong...)
}

// end stops the system, and wants what is left in the folder to be right or to have been spoken of.
func (c *Campaign) end(r *Result, l *instance) {
	ran := l.host.Alive()
	if err := l.stop(); ran && err != nil {
		r.Wrong = append(r.Wrong, err.Error())
	}
	if !ran || r.Outcome == none || r.Outcome == waits {
		return
	}
	wrong := c.left(r.Cell, l.system(), l.host.Since(0))
	if len(wrong) > 0 && r.Cell.runs() && r.Cell.Time != atIdle { // what a verb does not look at, the next start does
		l.start()
		if err := l.stop(); err != nil {
			r.Wrong = append(r.Wrong, err.Error())
		}
		wrong = c.left(r.Cell, l.system(), l.host.Since(0))
	}
	r.Wrong = append(r.Wrong, wrong...)
}

// left finds what is neither as it was before the damage nor spoken of. Slots are judged elsewhere.
func (c *Campaign) left(cell Cell, system string, lines []string) (wrong []string) {
	base := c.at("base", cell.User.Name, rest)
	was, err := os.Lstat(filepath.Join(base, cell.Path))
	is, isErr := os.Lstat(filepath.Join(system, cell.Path))
	if err == nil && !isSlot(cell.Path) && !spoken(lines, cell.Path) {
		switch {
		case isErr != nil && isSegment(cell.Path):
		case isErr != nil:
			wrong = append(wrong, "unsaid: it is still missing")
		case is.Mode().Type() != was.Mode().Type() || is.Mode().Perm() == 0:
			wrong = append(wrong, fmt.Sprintf("unsaid: it is still %s, not %s", is.Mode(), was.Mode()))
		}
	}
	had, _ := tree(base)
	have, _ := tree(system)
	for _, path := range have {
		known := slices.Contains(had, path) || spoken(lines, path) || spoken(lines, filepath.Dir(path))
		if ours := filepath.Base(path) == "stray" || strings.HasPrefix(path, cell.Path+"/"); !ours && !known &&
			!isSlot(path) && !isSegment(path) {
			wrong = append(wrong, "unsaid: "+c.name(path)+" is new")
		}
	}
	return wrong
}

// isSegment reports whether a path is a segment of the journal. They come and go with what is written.
func isSegment(path string) bool { return strings.HasPrefix(path, "state/journal/") }

// isSlot reports whether a path is part of the slots, which `nx verify` has to speak of.
func isSlot(path string) bool {
	return strings.HasPrefix(path, "system/sets") || path == "system" || path == "system/a" || path == "system/b"
}

// slots tells what is wrong with the content of each slot: "" for nothing, unknown where that depends on who reads it.
func (c *Campaign) slots(cell Cell, system string, when When) map[string]string {
	want := map[string]string{"a": activeSet, "b": otherSet}
	if cell.brings() {
		want["b"] = trialSet
	}
	found := map[string]string{}
	for slot, version := range want {
		found[slot] = wrongSlot(system, slot, c.byVersion(version))
		if cell.Path == "system" && when != started && cell.runs() {
			found[slot] = unknown // a system that runs holds the folder open, wherever it is moved to
			continue
		}
		if found[slot] == "" && isSlot(cell.Path) &&
			slices.Contains([]string{"mode", "owner", "longer"}, cell.Way.Name) {
			found[slot] = unknown
		}
	}
	return found
}

func (c *Campaign) byVersion(version string) *oracle.Set {
	return c.sets[slices.IndexFunc(c.sets, func(s *oracle.Set) bool { return s.Version == version })]
}

// wrongSlot finds what a slot lacks. It follows no link but the slot's own, and opens nothing but plain files.
func wrongSlot(system, slot string, set *oracle.Set) string {
	link, err := os.Readlink(filepath.Join(system, "system", slot))
	if err != nil || link != "sets/"+set.Digest {
		return "its link is wrong"
	}
	for path, sum := range set.Files {
		place := system
		for _, part := range strings.Split("system/sets/"+set.Digest+"/"+path, "/") {
			place = filepath.Join(place, part)
			info, err := os.Lstat(place)
			if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
				return path + " is not there"
			}
		}
		if have, err := oracle.SumOf(place); err != nil || have != sum {
			return path + " is damaged"
		}
	}
	return ""
}

package damage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
func (c *Campaign) cell(ctx context.Context, cell Cell, dir string) Result {
	defer remove(c.at(dir))
	r := Result{Cell: cell}
	l, err := c.newInstance(cell.User, filepath.Join(dir, "system"))
	if err == nil {
		defer l.host.Kill()
		defer context.AfterFunc(ctx, l.host.Kill)() // whoever waits for the system then sees it gone
		err = c.play(&r, l, dir)
		r.Console = l.host.Since(0)
	}
	if err != nil {
		r.Outcome, r.Wrong = none, append(r.Wrong, "the campaign itself failed: "+err.Error())
	}
	return r
}

// play goes through the cell's course.
func (c *Campaign) play(r *Result, l *instance, dir string) error {
	if err := command("cp", "-a", c.at("base", r.Cell.User.Name, r.Cell.base())+"/.", l.system()); err != nil {
		return err
	}
	runs := r.Cell.runs()
	if runs {
		if err := l.start(); err != nil {
			return err
		}
	}
	if r.Cell.Time == beforeSwitch {
		if _, err := l.host.Run("stage", c.set(trialSet)); err != nil {
			return err
		}
	}
	outside := c.at(dir, "outside")
	changed, err := c.harm(r.Cell, l.system(), outside)
	if err != nil {
		return err
	}
	if !changed {
		r.Outcome = nothing
		return nil
	}
	l.mark, l.harm = l.host.Shown(), l.host.Shown()
	switch r.Cell.Time {
	case atIdle:
		c.look(r, l, verified)
		if err := l.kill(); err != nil {
			return err
		}
	case beforeRollback:
		c.look(r, l, returned)
	case beforeSwitch:
		c.look(r, l, switched)
	}
	if !runs || r.Cell.Time == atIdle {
		return c.restart(r, l, outside)
	}
	c.end(r, l)
	return nil
}

// restart starts the system on what the damage has left. What was moved outside before is none of its business.
func (c *Campaign) restart(r *Result, l *instance, outside string) error {
	before, err := kit.FingerprintOf(outside)
	if err != nil {
		return err
	}
	if err := l.begin(); err != nil {
		return err
	}
	c.look(r, l, started)
	if r.Cell.Time != atIdle && l.host.Alive() && r.Outcome != none && r.Outcome != waits {
		c.look(r, l, verified)
	}
	c.end(r, l)
	after, err := kit.FingerprintOf(outside)
	if err != nil {
		return err
	}
	for _, change := range before.Changes(after) {
		r.Wrong = append(r.Wrong, "outside: "+change)
	}
	return nil
}

// harm does the damage.
func (c *Campaign) harm(cell Cell, system, outside string) (bool, error) {
	if err := os.Mkdir(outside, 0o755); err != nil {
		return false, err
	}
	t := Target{Path: filepath.Join(system, cell.Path), Aside: filepath.Join(outside, "moved")}
	for stand, place := range map[string]*string{older: &t.Older, first: &t.First} {
		path := c.at("base", cell.User.Name, stand, cell.Path)
		if _, err := os.Lstat(path); err == nil {
			*place = path
		}
	}
	return cell.Way.Do(t)
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
	r.Wrong = append(r.Wrong, c.left(r.Cell, l.system(), l.host.Since(0))...)
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

// isSlot tells whether a path is part of the slots, which `nx verify` has to speak of.
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

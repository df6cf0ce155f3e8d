package main

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"nexus/daemons/initd/machine"
	"nexus/selftest/oracle"
)

// maxBoots bounds the boot numbers that one start of the machine, with one verb, can use: a switch, its tries, a
// rollback, and the attempt after it.
const maxBoots = 5

// live runs the machine until its cut.
func (h *harness) live(session *session, c cycle) error {
	h.told = "cut while it started"
	if c.act == nothing {
		return h.cut(session, c, nil, 0)
	}
	if err := h.settle(session); err != nil {
		return err
	}
	h.told = "healthy before"
	args, next := h.verb(c)
	h.ahead = next
	shown := session.Shown()
	verb, err := startVerb(session, args)
	if err != nil {
		return err
	}
	defer verb.cmd.Process.Kill()
	if err := h.cut(session, c, verb, shown); err != nil {
		return err
	}
	h.acknowledge(verb, c, session.Since(shown))
	return nil
}

// settle waits until the system is healthy, and compares its state with what was acknowledged since it was last
// healthy. Its state then becomes the new reference.
func (h *harness) settle(session *session) error {
	now, err := session.quiet(h.sets)
	if err != nil {
		return err
	}
	if err := (promise{h.sets, true}).toldAs(now, h.was, h.ahead); err != nil {
		return err
	}
	if h.was.Made && session.says(machine.LineNewDisk) {
		return fmt.Errorf("the disk was formatted again")
	}
	if drawn := now.Boot - h.boot; now.Boot < h.boot || drawn > uint64(maxBoots*(h.starts+1)) {
		return fmt.Errorf("the boot number went from %d to %d in %d starts", h.boot, now.Boot, h.starts)
	}
	h.boot, h.starts, h.free = now.Boot, 0, oracle.Other(now.ActiveSlot)
	h.was = stand{Name: "healthy", Made: true, Recorded: true, Active: h.sets.Known(now.Active().Digest()).Name,
		Floor: oracle.Text(now.VersionFloor)}
	if now.StagedSlot != nil {
		h.was.Staged = h.sets.Known(now.Slot(*now.StagedSlot).Digest()).Name
	}
	h.was.Quarantine = now.Quarantined(named(h.sets, broken).Digest) != ""
	h.ahead = nil
	return h.clear(session, now)
}

// clear removes a failed set from quarantine, so that it can be staged again.
func (h *harness) clear(session *session, now oracle.State) error {
	for _, q := range now.Quarantine {
		if out, status, err := session.run("clear", q.IndexSHA256); err != nil || status != 0 {
			return fmt.Errorf("nx clear: status %d: %s (%w)", status, out, err)
		}
	}
	h.was.Quarantine = false
	return nil
}

// verb returns what the operator types, and the possible results.
func (h *harness) verb(c cycle) (args []string, ahead []stand) {
	good := second
	if h.was.Active == second {
		good = third
	}
	next := h.was
	switch c.act {
	case updates:
		next.Active, next.Staged = good, ""
		return []string{"update", "--downgrade", named(h.sets, good).File}, h.mayBe(next, good)
	case fails:
		next.Staged = ""
		next.Drops = true
		return []string{"update", "--downgrade", named(h.sets, broken).File}, []stand{next}
	case switches:
		if h.was.Staged != "" {
			next.Active, next.Staged = h.was.Staged, ""
			return []string{"switch"}, h.mayBe(next, h.was.Staged)
		}
	case returns:
		return []string{"rollback"}, h.anyGood(next)
	}
	next.Staged, next.Drops = good, true
	return []string{"stage", named(h.sets, good).File}, []stand{next}
}

// mayBe returns the possible results for a good set: it was confirmed, or discarded, as was what was staged before it.
func (h *harness) mayBe(next stand, name string) []stand {
	next.Drops = true
	if name == third {
		next.Floor = second
	}
	return []stand{next}
}

// anyGood returns the possible results of a rollback by an operator: the other slot may hold any of the good sets.
func (h *harness) anyGood(next stand) (stands []stand) {
	next.Drops = true
	for _, s := range h.sets.Of(oracle.Good) {
		next.Active = s.Name
		stands = append(stands, next)
	}
	return stands
}

// acknowledge records what was acknowledged before the cut.
func (h *harness) acknowledge(verb *verb, c cycle, lines []string) {
	for _, line := range lines {
		switch {
		case line == "init: health ok (slot "+h.free+")" && (c.act == updates || c.act == switches) &&
			len(h.ahead) == 1 && h.ahead[0].Active != h.was.Active:
			h.was, h.ahead = h.ahead[0], nil
			h.was.Drops = false
		case strings.HasPrefix(line, "updated: audit op=rollback ") &&
			strings.HasSuffix(line, "version="+broken+" result=ok reason=service-exited") && c.act == fails:
			h.was.Quarantine = true
		}
	}
	if c.act == stages && verb.over.Load() && verb.cmd.ProcessState.ExitCode() == 0 {
		h.was, h.ahead = h.ahead[0], nil
		h.was.Drops = false
	}
}

// hear records what the console reported during a run: that the disk was formatted, and that there is a boot record.
func (h *harness) hear(session *session) {
	lines := session.Since(0)
	h.was.Made = h.was.Made || session.says(machine.LineNewDisk)
	if slices.Contains(lines, "updated: ready (statefs)") {
		h.was.Made, h.was.Recorded = true, true
		if h.was.Active == "" {
			h.was.Active = factory
		}
	}
	h.tally[h.told]++
}

// A verb is one run of nx.
type verb struct {
	cmd   *exec.Cmd
	shown atomic.Int64 // lines of progress
	over  atomic.Bool
	done  chan struct{}
}

func startVerb(session *session, args []string) (*verb, error) {
	v := &verb{cmd: exec.Command(session.device.nx, append([]string{"--dir", session.device.dir}, args...)...),
		done: make(chan struct{})}
	out, err := v.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := v.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(v.done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			v.shown.Add(1)
		}
		io.Copy(io.Discard, out)
		v.cmd.Wait()
		v.over.Store(true)
	}()
	return v, nil
}

// cut waits for the planned moment or for the end of the verb, whichever is first, and kills the machine.
func (h *harness) cut(session *session, c cycle, v *verb, shown int) error {
	seen := func() bool {
		switch c.trigger {
		case atStart:
			return session.Count("init")+session.Count("updated: ")+session.Count("bundlemgrd: ") >= c.n
		case atProgress:
			return v.shown.Load() >= int64(c.n)
		case atConsole:
			return session.Shown() >= shown+c.n
		}
		return false
	}
	for end := time.Now().Add(patience); ; time.Sleep(lookPause / 40) {
		// Before the console is checked, so that the last lines are seen.
		over := v != nil && v.over.Load() || v == nil && session.says("init: health ok")
		if seen() {
			h.tally["at the moment that was planned"]++
			break
		}
		if over {
			break
		}
		if bad := fatal(session.Since(0)); bad != "" {
			return fmt.Errorf("the guest: %s", bad)
		}
		if time.Now().After(end) {
			return fmt.Errorf("no %s %d within %v", c.trigger, c.n, patience)
		}
	}
	time.Sleep(c.delay)
	session.end()
	if v != nil {
		<-v.done
	}
	if bad := fatal(session.Since(0)); bad != "" {
		return fmt.Errorf("the guest: %s", bad)
	}
	return nil
}

// summary returns the tally in one line.
func (h *harness) summary() string {
	var parts []string
	for what, n := range h.tally {
		parts = append(parts, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

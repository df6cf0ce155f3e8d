package powercut

import (
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/daemons/initd/machine"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// maxBoots bounds the boot numbers that one start of the machine, with one verb, can use: a switch, its tries, a
// rollback, and the attempt after it.
const maxBoots = 5

// live runs the machine until its cut, and records what was acknowledged before.
func (h *harness) live(t testing.TB, session *session, c cycle) {
	h.told = "cut while it started"
	if c.act == nothing {
		h.cut(t, session, c, nil, 0)
	} else {
		h.settle(t, session)
		h.told = "healthy before"
		args, next := h.verb(c)
		h.ahead = next
		shown := session.Shown()
		verb, err := session.Start(true, args...)
		kit.Must(t, err)
		defer verb.Kill()
		h.cut(t, session, c, verb, shown)
		h.acknowledge(verb, c, session.Since(shown))
	}
	h.hear(session)
}

// settle waits until the system is healthy, and compares its state with what was acknowledged since it was last
// healthy. Its state then becomes the new reference.
func (h *harness) settle(t testing.TB, session *session) {
	now, err := session.quiet()
	kit.Must(t, err)
	p := promise{sets: h.sets, mayFail: true, boot: h.boot, boots: uint64(maxBoots * (h.starts + 1))}
	if err := p.told(now, h.was, h.ahead); err != nil {
		t.Fatalf("after %d starts: %v", h.starts, err)
	}
	if h.was.Made && session.Count(machine.LineNewDisk) > 0 {
		t.Fatal("the disk was formatted again")
	}
	h.boot, h.starts, h.free = now.Boot, 0, oracle.Other(now.ActiveSlot)
	h.was = stand{Name: "healthy", Made: true, Recorded: true, Active: h.sets.Known(now.Active().Digest()).Name,
		Floor: oracle.Text(now.VersionFloor)}
	if now.StagedSlot != nil {
		h.was.Staged = h.sets.Known(now.Staged()).Name
	}
	h.ahead = nil
	_, err = session.Run("policy", "set", h.policy) // the disk may be another one than last time
	kit.Must(t, err)
	for _, q := range now.Quarantine { // so that it can be staged again
		_, err := session.Run("clear", q.IndexSHA256)
		kit.Must(t, err)
	}
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
		return []string{"update", "--downgrade", h.sets.Named(good).File}, h.mayBe(next, good)
	case fails:
		next.Staged = ""
		next.Drops = true
		return []string{"update", "--downgrade", h.sets.Named(broken).File}, []stand{next}
	case switches:
		if h.was.Staged != "" {
			next.Active, next.Staged = h.was.Staged, ""
			return []string{"switch"}, h.mayBe(next, h.was.Staged)
		}
	case returns:
		return []string{"rollback"}, h.anyGood(next)
	}
	next.Staged, next.Drops = good, true
	return []string{"stage", h.sets.Named(good).File}, []stand{next}
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
func (h *harness) acknowledge(verb *kit.Verb, c cycle, lines []string) {
	confirmed := slices.Contains(lines, "init: health ok (slot "+h.free+")") &&
		(c.act == updates || c.act == switches) &&
		len(h.ahead) == 1 && h.ahead[0].Active != h.was.Active
	if confirmed || c.act == stages && verb.Exit() == 0 {
		h.was, h.ahead = h.ahead[0], nil
		h.was.Drops = false
	}
	h.was.Quarantine = h.was.Quarantine || c.act == fails && slices.ContainsFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "updated: audit op=rollback ") &&
			strings.HasSuffix(line, "version="+broken+" result=ok reason=service-exited")
	})
}

// hear records what the console reported during a run: that the disk was formatted, and that there is a boot record.
func (h *harness) hear(session *session) {
	h.was.Made = h.was.Made || session.Count(machine.LineNewDisk) > 0
	if session.Count("updated: ready (statefs)") > 0 {
		h.was.Made, h.was.Recorded = true, true
		if h.was.Active == "" {
			h.was.Active = factory
		}
	}
	h.tally[h.told]++
}

// cut waits for the planned moment or for the end of the verb, whichever is first, and kills the machine.
func (h *harness) cut(t testing.TB, session *session, c cycle, verb *kit.Verb, shown int) {
	begun, checked := time.Now(), 0
	var bad error
	late := func() bool { return time.Since(begun) > patience }
	over := func() bool {
		if n := session.Shown(); n > checked {
			checked, bad = n, fatal(session.Since(0))
		}
		ended := verb == nil && session.Count("init: health ok") > 0 || verb != nil && verb.Ended()
		return ended || bad != nil || late()
	}
	seen := map[string]func(n int) bool{
		atStart: func(n int) bool {
			return session.Count("init")+session.Count("updated: ")+session.Count("bundlemgrd: ") >= n
		},
		atProgress: func(n int) bool { return verb.Progress() >= n },
		atConsole:  func(n int) bool { return session.Shown() >= shown+n },
	}
	if c.moment.Await(seen, over) {
		h.tally["at the moment that was planned"]++
	} else if late() {
		t.Fatalf("no %s within %v", c.moment, patience)
	}
	session.end()
	if verb != nil {
		<-verb.Done
	}
	kit.Must(t, fatal(session.Since(0)))
}

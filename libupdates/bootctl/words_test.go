package bootctl_test

import (
	"slices"
	"strings"
	"testing"

	"nexus/capnpgen/bootrecord"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// Each step has the time at which it happened, and it is kept; a record of an older system has none.
func TestStepsHaveTimes(t *testing.T) {
	m := must{t}
	r := m.attempt(m.put(bootctl.New(), set(1)))
	for _, e := range r.History {
		equal(t, "time of a step that nobody dated", e.UnixMs, int64(0))
	}
	old := len(r.History)
	r = m.commit(r.At(1_700_000_000_000))
	r = m.attempt(r.At(1_700_000_000_500))
	got, err := bootctl.Decode(encode(t, r))
	m.ok(err)
	var times []int64
	for _, e := range got.History[old:] {
		times = append(times, e.UnixMs)
	}
	if !slices.Contains(times, 1_700_000_000_000) || times[len(times)-1] != 1_700_000_000_500 {
		t.Errorf("times are %d", times)
	}
	for _, e := range got.History[:old] {
		equal(t, "time of an older step", e.UnixMs, int64(0))
	}
	again := m.attempt(got) // what was read knows no time of its own
	equal(t, "time after a start", again.History[len(again.History)-1].UnixMs, int64(0))
}

// failed is a record whose set was rolled back.
func failed(t *testing.T) bootctl.Record {
	m := must{t}
	r := m.update(bootctl.New(), set(1))
	r = m.attempt(m.put(r, set(2)))
	next, verdict, err := r.Fail(r.Boot, refusal.HealthTimeout, "service hello 1.1.0: starting")
	m.ok(err)
	equal(t, "verdict", verdict, bootctl.RolledBack)
	return next
}

// A rollback keeps what the service wrote, within bounds, and as lines that can be shown.
func TestExplain(t *testing.T) {
	r := failed(t)
	equal(t, "detail of the event", r.History[len(r.History)-1].Detail, "service hello 1.1.0: starting")
	for name, c := range map[string]struct {
		output, refused     []string
		wantOut, wantDenied string
	}{
		"nothing":  {nil, nil, "", ""},
		"lines":    {[]string{"one", "two"}, []string{"a socket"}, "one\ntwo", "a socket"},
		"controls": {[]string{"a\x1b[2Jb\tc\nd", "\xff"}, nil, "a [2Jb c d\n?", ""},
		"many lines": {strings.Split(strings.Repeat("x ", 40), " "), slices.Repeat([]string{"no"}, 9),
			strings.TrimSuffix(strings.Repeat("x\n", 15), "\n") + "\n", "no\nno\nno\nno"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := bootctl.Decode(encode(t, r.Explain(c.output, c.refused)))
			must{t}.ok(err)
			equal(t, "output", got.LastRollback.Output, c.wantOut)
			equal(t, "refused", got.LastRollback.Refused, c.wantDenied)
			equal(t, "detail", got.LastRollback.Detail, "service hello 1.1.0: starting")
		})
	}
	if r.LastRollback.Output != "" {
		t.Error("the record before was changed")
	}
	equal(t, "without a rollback", bootctl.New().Explain([]string{"x"}, nil).LastRollback, (*bootctl.Rollback)(nil))
}

// Whatever a service writes, the record keeps within its size, and the newest line is in it.
func TestExplainIsBounded(t *testing.T) {
	r := failed(t)
	for _, long := range []string{strings.Repeat("x", 1<<20), strings.Repeat("é", 2000), strings.Repeat("\x00", 5000)} {
		got := r.Explain(slices.Repeat([]string{long}, 100), slices.Repeat([]string{long}, 100))
		raw := encode(t, got)
		if len(raw) > 8<<10 {
			t.Errorf("the record has %d bytes", len(raw))
		}
		if got.LastRollback.Output == "" {
			t.Error("nothing is left of one long line")
		}
	}
}

// Words that are over the bounds, or hold a line end where none belongs, make a record that is refused.
func TestDecodeRefusesWords(t *testing.T) {
	for name, lines := range map[string][]string{
		"a line end": {"a\nb"}, "too many": slices.Repeat([]string{"x"}, 17), "too long": {strings.Repeat("x", 3000)},
		"a control": {"a\x1b"},
	} {
		raw := message(t, func(r bootrecord.BootRecord) error {
			b, err := r.NewLastRollback()
			if err != nil {
				return err
			}
			list, err := b.NewOutput(int32(len(lines)))
			for i, line := range lines {
				list.Set(i, line)
			}
			return err
		})
		if _, err := bootctl.Decode(raw); err == nil {
			t.Errorf("%s: was accepted", name)
		}
	}
}

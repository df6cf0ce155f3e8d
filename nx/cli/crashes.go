package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"nexus/capnpgen/journal"
	"nexus/libupdates/refusal"
)

// crashesVerb shows crash reports.
type crashesVerb struct {
	ID uint64 `arg:"" optional:"" help:"All of this report, instead of the list of them."`
}

// A crash is one crash report.
type crash struct {
	ID          uint64   `json:"id"` // the number of its record in the journal
	Time        string   `json:"time"`
	ClockNotSet bool     `json:"clockNotSet,omitempty"`
	Boot        uint32   `json:"boot"`
	Durable     bool     `json:"durable"`
	Process     string   `json:"process"`
	Exit        string   `json:"exit"`
	Code        int      `json:"code"`
	Signal      int      `json:"signal"`
	Version     string   `json:"version"`
	Slot        string   `json:"slot"`
	Set         string   `json:"setSha256"`
	Uptime      string   `json:"uptime"`
	Restarts    int      `json:"restarts"` // before this end
	Limits      []string `json:"limits"`
	Output      []string `json:"output"`
	Trace       []string `json:"trace"`
	Records     []string `json:"records"` // its last ones in the journal
}

// Run asks for the reports, and shows them or one of them.
func (v *crashesVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		log, done := s.journal(ctx)
		defer done()
		records, err := pages(ctx, log, maxLines, onlyCrashes, readRecords)
		if err != nil {
			return cannot("show crashes", "", err)
		}
		crashes := crashesOf(records)
		if v.ID == 0 {
			return in.answer(crashes, func(w io.Writer) { listCrashes(w, crashes) })
		}
		i := slices.IndexFunc(crashes, func(c crash) bool { return c.ID == v.ID })
		if i < 0 {
			return cannot("show crash", strconv.FormatUint(v.ID, 10),
				refusal.New(refusal.UnknownCrash, "the journal has no crash report of this number"))
		}
		return in.answer(crashes[i], crashes[i].show)
	})
}

// onlyCrashes restricts a filter to crash reports.
func onlyCrashes(m journal.Filter) error { return onlyKind(m, journal.Kind_crash) }

// crashesOf reads records as crash reports.
func crashesOf(records []record) []crash {
	crashes := []crash{}
	for _, r := range records {
		if r.Kind != nameOf(journal.Kind_crash.String()) { // an older logd may not know the filter
			continue
		}
		crashes = append(crashes, r.crash())
	}
	return crashes
}

// crash reads one record as a crash report. What is not there, or is not a number, is zero.
func (r record) crash() crash {
	c := crash{ID: r.Sequence, Time: r.Time, ClockNotSet: r.ClockNotSet, Boot: r.Boot, Durable: r.Durable}
	texts := map[string]string{}
	for _, f := range r.Fields {
		texts[f.Key] = f.Value
	}
	number := func(key string) int { n, _ := strconv.Atoi(texts[key]); return n }
	lines := func(key, separator string) []string {
		if texts[key] == "" {
			return []string{}
		}
		return strings.Split(texts[key], separator)
	}
	c.Process, c.Exit, c.Version, c.Slot = texts["process"], texts["exit"], texts["version"], texts["slot"]
	c.Set, c.Uptime = texts["set"], texts["uptime"]
	c.Code, c.Signal, c.Restarts = number("code"), number("signal"), number("restarts")
	c.Limits, c.Output = lines("limits", ","), lines("output", "\n")
	c.Trace, c.Records = lines("trace", "\n"), lines("records", "\n")
	return c
}

func listCrashes(w io.Writer, crashes []crash) {
	if len(crashes) == 0 {
		fmt.Fprintln(w, "nothing has crashed, as far as the journal reaches back")
		return
	}
	rows := [][]string{{"ID", "TIME", "BOOT", "PROCESS", "VERSION", "UPTIME", "EXIT"}}
	for _, c := range crashes {
		rows = append(rows, []string{strconv.FormatUint(c.ID, 10), c.when(), strconv.FormatUint(uint64(c.Boot), 10),
			c.Process, orDash(c.Version), orDash(c.Uptime), c.Exit})
	}
	table(w, rows)
}

// when returns the time of a crash.
func (c crash) when() string {
	return record{Time: c.Time, ClockNotSet: c.ClockNotSet}.when()
}

// show shows all of a report.
func (c crash) show(w io.Writer) {
	for _, line := range [][2]string{
		{"process", c.Process}, {"exit", c.Exit}, {"time", c.when()}, {"boot", fmt.Sprint(c.Boot)},
		{"version", c.Version}, {"slot", c.Slot}, {"set", c.Set}, {"uptime", c.Uptime},
		{"restarts", fmt.Sprint(c.Restarts)}, {"limits hit", strings.Join(c.Limits, ", ")},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "%-11s %s\n", line[0]+":", clean(line[1]))
		}
	}
	for _, part := range []struct {
		title string
		lines []string
	}{{"it wrote last", c.Output}, {"its trace began", c.Trace}, {"its last records", c.Records}} {
		if len(part.lines) == 0 {
			continue
		}
		fmt.Fprintf(w, "%s:\n", part.title)
		for _, line := range part.lines {
			fmt.Fprintf(w, "  %s\n", clean(strings.ReplaceAll(line, "\t", "    ")))
		}
	}
}

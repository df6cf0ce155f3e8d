package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"nexus/libupdates/nxs"
)

// statusVerb shows the state.
type statusVerb struct{}

// Run shows the current state.
func (*statusVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		now, err := readState(ctx, &s.facets)
		if err != nil {
			return cannot("show status", "", err)
		}
		idle := idleRows(ctx, &s.facets, now)
		confinement, err := confinedDaemons(ctx, &s.facets)
		if err != nil {
			return cannot("show status", "", err)
		}
		watchdog, err := readWatchdog(ctx, &s.facets)
		if err != nil {
			return cannot("show status", "", err)
		}
		return in.answer(report{now, watchdog, confinement}, func(w io.Writer) {
			printState(w, now, append(append(idle, watchdog.rows()...), confinementRows(confinement)...))
		})
	})
}

// idleRows returns a line that says so if a set runs in which nothing does. If the question is not answered, it returns
// none: the state is what was asked for.
func idleRows(ctx context.Context, f *facets, now state) [][]string {
	bundles := now.slot(now.ActiveSlot).Bundles
	core := slices.ContainsFunc(bundles, func(b bundleRef) bool { return b.Name == nxs.CoreName })
	if !now.HealthOK || len(bundles) == 0 || core {
		return nil
	}
	if services, err := serviceStates(ctx, f); err != nil || len(services) > 0 {
		return nil
	}
	return [][]string{{"services", "none: nothing in this set runs by itself"}}
}

// A report is the output of `nx status`: the state, the watchdog of the machine, and how the daemons are confined.
type report struct {
	state
	Watchdog    *watchdog  `json:"watchdog"`
	Confinement []confined `json:"confinement"`
}

// received is how far the stage under way is.
func (s state) received() string {
	if s.StagingTotal == 0 {
		return "a set is being received"
	}
	return fmt.Sprintf("a set is being received: %s of %s", humanize.IBytes(s.StagingDone),
		humanize.IBytes(s.StagingTotal))
}

// printState prints what runs, what else there is, and what to do next.
func printState(w io.Writer, s state, machine [][]string) {
	rows := [][]string{{"system", s.running()}}
	if s.PendingSlot != nil {
		rows = append(rows, []string{"on trial", fmt.Sprintf("%s, %s left", s.place(*s.PendingSlot),
			tries(s.TriesLeft))})
	}
	if s.StagedSlot != nil {
		rows = append(rows, []string{"staged", s.slot(*s.StagedSlot).describe("waits for `nx switch`")})
	}
	if s.Staging {
		rows = append(rows, []string{"staging", s.received()})
	}
	rows = append(rows, []string{"slot a", s.Slots.A.describe(s.standing(s.Slots.A))},
		[]string{"slot b", s.Slots.B.describe(s.standing(s.Slots.B))})
	if s.Core != nil {
		rows = append(rows, []string{"core", *s.Core})
	}
	if s.VersionFloor != nil {
		rows = append(rows, []string{"floor", "no set older than " + *s.VersionFloor})
	}
	for _, q := range s.Quarantine {
		rows = append(rows, []string{"quarantined", fmt.Sprintf("%s (%s): %s", q.SystemVersion, short(q.IndexSHA256),
			q.Reason)})
	}
	if r := s.LastRollback; r != nil {
		rows = append(rows, []string{"rolled back", fmt.Sprintf("%s: %s", r.SystemVersion, r.why())})
		for _, line := range r.words.lines() {
			rows = append(rows, []string{"", line})
		}
	}
	if by := s.slot(s.ActiveSlot).verified(); by != "" {
		rows = append(rows, []string{"payloads", by})
	}
	rows = append(rows, []string{"state", s.persistence()})
	if began := s.began(); began != "" {
		rows = append(rows, []string{"boot", began})
	}
	rows = append(rows, machine...)
	if next := s.next(); next != "" {
		rows = append(rows, []string{"next", next})
	}
	table(w, rows)
}

// running returns the content of the confirmed slot and its health.
func (s state) running() string {
	active := s.slot(s.ActiveSlot)
	if active.SystemVersion == nil {
		return "none: slot " + s.ActiveSlot + " is empty"
	}
	if s.PendingSlot != nil {
		return s.place(s.ActiveSlot) + ", waits while another set is on trial"
	}
	if s.HealthOK && s.Watched {
		return s.place(s.ActiveSlot) + ", healthy, under watch"
	}
	if s.HealthOK {
		return s.place(s.ActiveSlot) + ", healthy"
	}
	return s.place(s.ActiveSlot) + ", not yet confirmed healthy"
}

// place returns a version and its slot.
func (s state) place(slot string) string {
	version := s.slot(slot).SystemVersion
	if version == nil {
		return "nothing in slot " + slot
	}
	return *version + " in slot " + slot
}

func (s state) persistence() string {
	if s.Persistent {
		return "kept over a reboot"
	}
	return "not kept over a reboot"
}

// began returns why the boot began, and how many of that kind came in a row; "" if that is unknown.
func (s state) began() string {
	text := map[string]string{
		"commanded": "by command", "crash": "after a crash", "watchdog": "reset by the watchdog",
		"power": "at power-on",
	}[s.BootCause]
	if s.AbruptEnds < 2 {
		return text
	}
	text = cmp.Or(text, "cause unknown") + fmt.Sprintf(", %d ends in a row that nobody ordered", s.AbruptEnds)
	if s.PauseMs > 0 && !s.HealthOK {
		text += fmt.Sprintf(": services wait %v", time.Duration(s.PauseMs)*time.Millisecond)
	}
	return text
}

// next returns what an operator would do now, or "".
func (s state) next() string {
	switch {
	case s.PendingSlot != nil:
		return "the verdict comes by itself; `nx rollback` ends the trial"
	case s.StagedSlot != nil:
		return "`nx switch` puts it on trial, `nx discard` drops it"
	case s.slot(s.ActiveSlot).SystemVersion == nil:
		return "`nx update FILE` installs a system set"
	case s.Slots.A.Damage != nil || s.Slots.B.Damage != nil:
		return "`nx stage FILE` with the same set mends the standby slot, `nx verify` looks again"
	case !s.HealthOK:
		return "`nx services` shows how the services are, `nx log` why"
	default:
		return ""
	}
}

// standing is what is known of the set in a slot.
func (s state) standing(slot slotState) string {
	barred := func(q quarantined) bool { return q.IndexSHA256 == textOf(slot.IndexSHA256) }
	switch {
	case slot.Damage != nil:
		return "DAMAGED: " + *slot.Damage
	case slices.ContainsFunc(s.Quarantine, barred):
		return "quarantined"
	case slot.Good:
		return "good"
	default:
		return "not yet confirmed"
	}
}

// verified returns how the payloads of a set are verified; "" if that is unknown, as with an older system.
func (s slotState) verified() string {
	switch {
	case s.Kept:
		return "verified by the kernel at every read"
	case s.Unkept != nil:
		return "read at each boot attempt: " + *s.Unkept
	}
	return ""
}

func (s slotState) describe(standing string) string {
	if s.SystemVersion == nil {
		return "empty"
	}
	var bundles []string
	for _, b := range s.Bundles {
		bundles = append(bundles, b.Name+" "+b.Version)
	}
	text := fmt.Sprintf("%s (%s), %s", *s.SystemVersion, short(textOf(s.IndexSHA256)), standing)
	if len(bundles) == 0 {
		return text
	}
	return text + ": " + strings.Join(bundles, ", ")
}

// why returns a rollback's reason with its detail.
func (r *rolledBack) why() string {
	if r.Detail == "" {
		return r.Reason
	}
	return r.Reason + ": " + r.Detail
}

// lines returns what was refused, then what the service wrote last.
func (w words) lines() []string {
	var lines []string
	for _, line := range w.Refused {
		lines = append(lines, "refused: "+line)
	}
	for _, line := range w.Output {
		lines = append(lines, "it wrote: "+line)
	}
	return lines
}

func tries(n uint8) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

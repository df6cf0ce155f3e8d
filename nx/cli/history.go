package cli

import (
	"context"
	"io"
	"slices"
	"strconv"

	"nexus/capnpgen/bootrecord"
)

// historyVerb shows the last steps of the state machine.
type historyVerb struct{ appFlag }

// An event is one accepted step.
type event struct {
	Op            string  `json:"op"`
	Slot          *string `json:"slot"`
	SystemVersion *string `json:"systemVersion"`
	IndexSHA256   *string `json:"indexSha256"`
	Reason        *string `json:"reason"`
	Detail        *string `json:"detail,omitempty"`
	Boot          uint64  `json:"boot"`
	stamp
}

// Run shows the history, oldest first.
func (v *historyVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return v.with(ctx, in, "show history", "", func(m subject) error {
		events, err := readHistory(ctx, m)
		if err != nil {
			return cannot("show history", "", err)
		}
		return in.answer(events, func(w io.Writer) { printHistory(w, events) })
	})
}

func readHistory(ctx context.Context, m subject) ([]event, error) {
	status, done := m.status(ctx)
	defer done()
	answer, release := status.History(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	list, err := res.Events()
	if err != nil {
		return nil, err
	}
	var r reader
	events := []event{}
	for i := range r.Items(list.Len()) {
		events = append(events, r.event(list.At(i)))
	}
	return events, r.Err
}

func (r *reader) event(m bootrecord.Event) event {
	return event{
		Op: r.Text(m.Op()), Slot: slotOrNull(m.Slot()), Boot: m.Boot(),
		SystemVersion: orNull(r.Text(m.SystemVersion()), ""),
		IndexSHA256:   orNull(r.digest(m.IndexSha256()), ""),
		Reason:        orNull(r.Text(m.Reason()), ""),
		Detail:        orNull(r.Text(m.Detail()), ""),
		stamp:         stampOf(m.UnixMs()),
	}
}

func printHistory(w io.Writer, events []event) {
	rows := [][]string{{"ATTEMPT", "TIME", "STEP", "SLOT", "VERSION", "SET", "REASON"}}
	timed := false
	for _, e := range events {
		timed = timed || e.Time != nil
		rows = append(rows, []string{
			strconv.FormatUint(e.Boot, 10), e.stamp.text(), e.Op, textOf(e.Slot), textOf(e.SystemVersion),
			short(textOf(e.IndexSHA256)), e.why(),
		})
	}
	if !timed { // a record of a system that noted none
		for i, row := range rows {
			rows[i] = slices.Delete(row, 1, 2)
		}
	}
	table(w, rows)
}

// why returns a step's reason with its detail.
func (e event) why() string {
	if e.Detail == nil {
		return textOf(e.Reason)
	}
	return textOf(e.Reason) + ": " + *e.Detail
}

// textOf returns a text that may be null.
func textOf(text *string) string {
	if text == nil {
		return "-"
	}
	return *text
}

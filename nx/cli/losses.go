package cli

import (
	"context"
	"io"
	"strconv"

	"nexus/capnpgen/journal"
)

// A tally counts the records of one sender.
type tally struct {
	Sender  string `json:"sender"`
	Kept    uint64 `json:"kept"`
	Dropped uint64 `json:"dropped"`
}

// losses are what the journal keeps, and what it has lost.
type losses struct {
	Kept     uint64  `json:"kept"`
	Dropped  uint64  `json:"dropped"`
	Capacity uint64  `json:"capacity"`
	Senders  []tally `json:"senders"`
}

// showLosses shows how much of each sender is kept, and how much was lost.
func (in *invocation) showLosses(ctx context.Context, s *session) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	all, err := readLosses(ctx, &s.facets)
	if err != nil {
		return cannot("show losses", "", err)
	}
	return in.answer(all, func(w io.Writer) {
		rows := [][]string{{"SENDER", "KEPT", "DROPPED"}}
		for _, t := range all.Senders {
			rows = append(rows, []string{t.Sender, strconv.FormatUint(t.Kept, 10), strconv.FormatUint(t.Dropped, 10)})
		}
		table(w, rows)
	})
}

func readLosses(ctx context.Context, f *facets) (losses, error) {
	log, done := f.journal(ctx)
	defer done()
	answer, release := log.Stats(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return losses{}, err
	}
	stats, err := res.Stats()
	if err != nil {
		return losses{}, err
	}
	var r reader
	all := losses{stats.Kept(), stats.Dropped(), stats.Capacity(), r.tallies(stats.Senders())}
	return all, r.Err
}

func (r *reader) tallies(list journal.SenderStats_List, err error) []tally {
	r.Note(err)
	all := []tally{}
	for i := range r.Items(list.Len()) {
		t := list.At(i)
		all = append(all, tally{r.Text(t.Sender()), t.Kept(), t.Dropped()})
	}
	return all
}

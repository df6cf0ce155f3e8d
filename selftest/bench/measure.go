package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"

	"nexus/selftest/bench/table"
)

// A Table is one task, done by each of its rows in turn, round after round.
type Table struct {
	Title    string
	Input    Input
	Quick    bool // part of the quick run
	Once     bool // one round is enough, because the table is about success and memory
	Optional bool // it is left out, with a note, if its Setup fails
	Setup    string
	Columns  []table.Column // nil: seconds, with ratios, and peak memory
	Floor    string         // the row that is the unit
	Aim      float64        // the highest acceptable ratio of Ours to Floor; 0: none
	Ours     string
	Rows     []Row
}

// A Row is one way to do the table's task.
type Row struct {
	Name string
	// Needs lists programs that must be installed. If one is missing, the row is left out with a note.
	Needs []string
	// Setup is a shell script that runs once before the rounds. It may be empty.
	Setup string
	// Run does the task once: Shell for a script, or another function.
	Run func(ctx context.Context, p Place) (Figures, error)
}

// Figures are what one run took, one for each column of its table. Unless the table has its own, these are the seconds,
// and the peak resident memory in bytes of the process that had the most.
type Figures = []float64

// The default columns.
const (
	seconds = iota
	peak
)

// column returns how a figure is shown, in a unit.
func column(format string, unit float64) func(float64) string {
	return func(v float64) string { return fmt.Sprintf(format, v/unit) }
}

// A result is a table with its measurements.
type result struct {
	task Table
	*table.Table
}

// newResult returns a table that has not been measured.
func newResult(t Table) result {
	if t.Columns == nil {
		t.Columns = []table.Column{{Name: "s", Show: column("%.3f", 1), Ratio: true},
			{Name: "peak MiB", Show: column("%.0f", 1<<20)}}
	}
	return result{t, &table.Table{Floor: t.Floor, Columns: t.Columns}}
}

// measure prepares a table and runs its rows in turns.
func measure(ctx context.Context, p Place, t Table, rounds int) (r result, err error) {
	r = newResult(t)
	if p.Input, err = t.Input.make(p); err != nil {
		return r, err
	}
	if p.Work, err = p.fresh("work"); err != nil {
		return r, err
	}
	if _, err := run(ctx, p, t.Setup); err != nil {
		return r, err
	}
	fresh := func() (err error) {
		p.Out, err = p.fresh("out")
		syscall.Sync() // so that writes of earlier rows do not count for this one
		return err
	}
	for _, row := range t.Rows {
		m := &table.Row{Name: row.Name, Missing: absent(row.Needs), Optional: len(row.Needs) > 0}
		m.Run = func(ctx context.Context) ([]float64, error) { return row.Run(ctx, p) }
		if m.Missing == "" {
			if _, err := run(ctx, p, row.Setup); err != nil {
				m.Missing = "its preparation failed: " + table.OneLine(err)
			}
		}
		r.Rows = append(r.Rows, m)
	}
	if t.Once {
		rounds = 1
	}
	if err := r.Measure(ctx, rounds, fresh); err != nil {
		return r, err
	}
	_, workErr := p.fresh("work")
	return r, errors.Join(workErr, fresh())
}

// absent returns the first program that is missing, or "".
func absent(needs []string) string {
	for _, name := range needs {
		if _, err := exec.LookPath(name); err != nil {
			return name + " is not installed"
		}
	}
	return ""
}

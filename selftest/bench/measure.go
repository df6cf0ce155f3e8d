package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"nexus/selftest/bench/table"
)

// A result is a table with its measurements.
type result struct {
	task Table
	*table.Table
}

// newResult returns a table that has not been measured.
func newResult(t Table) result {
	return result{t, &table.Table{Floor: t.Floor, Columns: []table.Column{
		{Name: "s", Show: func(s float64) string { return fmt.Sprintf("%.3f", s) }, Ratio: true},
		{Name: "peak MiB", Show: func(bytes float64) string { return fmt.Sprintf("%.0f", bytes/(1<<20)) }},
	}}}
}

// measure prepares a table, runs its rows in turns, and prints it.
func measure(ctx context.Context, p Place, t Table, rounds int, w io.Writer) (r result, err error) {
	r = newResult(t)
	if p.Input, err = t.Input.make(p); err != nil {
		return r, err
	}
	if p.Work, err = p.fresh("work"); err != nil {
		return r, err
	}
	if _, err := Shell(t.Setup)(ctx, p); err != nil {
		return r, err
	}
	fresh := func() (err error) {
		p.Out, err = p.fresh("out")
		syscall.Sync() // so that writes of earlier rows do not count for this one
		return err
	}
	for _, row := range t.Rows {
		m := &table.Row{Name: row.Name, Missing: absent(row.Needs), Optional: len(row.Needs) > 0}
		m.Run = func(ctx context.Context) ([]float64, error) {
			sample, err := row.Run(ctx, p)
			return []float64{sample.Seconds, float64(sample.Peak)}, err
		}
		if m.Missing == "" {
			if _, err := Shell(row.Setup)(ctx, p); err != nil {
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
	fmt.Fprintf(w, "\n%s\n", t.Title)
	_, workErr := p.fresh("work")
	return r, errors.Join(r.Print(w), workErr, fresh())
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

// outcome says whether the target ratio was met.
func (r result) outcome() string {
	if r.task.Aim == 0 {
		return ""
	}
	got, word := r.Ratio(r.task.Ours, 0), "met"
	if got > r.task.Aim {
		word = "not met"
	}
	return fmt.Sprintf("Aim: %s at most %.2f of %s. Measured %.2f: %s.\n", r.task.Ours, r.task.Aim, r.Floor, got, word)
}

// The report keeps hand-written text: only what is between these two lines is replaced.
const (
	reportBegin = "<!-- tables: make bench writes from here -->\n"
	reportEnd   = "<!-- to here -->\n"
)

// writeReport writes the tables into a document.
func writeReport(name string, results []result) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(text), reportBegin)
	_, after, ends := strings.Cut(rest, reportEnd)
	if !begins || !ends {
		return fmt.Errorf("cannot write %s: no lines that mark the place of the tables", name)
	}
	tables := origin()
	for _, r := range results {
		tables += fmt.Sprintf("\n### %s\n\n%s", r.task.Title, r.Markdown())
		if said := r.outcome(); said != "" {
			tables += "\n" + said
		}
	}
	return os.WriteFile(name, []byte(before+reportBegin+tables+reportEnd+after), 0o644)
}

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// print prints a table on a terminal.
func (r result) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s\n", r.Title)
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range r.Rows {
		fmt.Fprintf(out, "%s\t\n", strings.Join(r.cells(row), "\t"))
	}
	return out.Flush()
}

// cells returns a row's name, seconds, ratio and peak.
func (r result) cells(row Row) []string {
	samples := r.samples[row.Name]
	if why := r.missing[row.Name]; why != "" {
		return []string{row.Name, "–", "–", why}
	}
	ratio := "–"
	if r.Floor != "" {
		ratio = fmt.Sprintf("%.2f", r.ratio(row.Name, r.Floor))
	}
	return []string{
		row.Name,
		fmt.Sprintf("%.3f", median(samples, func(s Sample) float64 { return s.Seconds })),
		ratio,
		fmt.Sprintf("%.0f", median(samples, func(s Sample) float64 { return float64(s.Peak) / (1 << 20) })),
	}
}

// outcome says whether the target ratio was met.
func (r result) outcome() string {
	if r.Aim == 0 {
		return ""
	}
	got, word := r.ratio(r.Ours, r.Floor), "met"
	if got > r.Aim {
		word = "not met"
	}
	return fmt.Sprintf("Aim: %s at most %.2f of %s. Measured %.2f: %s.\n", r.Ours, r.Aim, r.Floor, got, word)
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
	return os.WriteFile(name, []byte(before+reportBegin+origin()+markdown(results)+reportEnd+after), 0o644)
}

func markdown(results []result) string {
	var b strings.Builder
	for _, r := range results {
		fmt.Fprintf(&b, "\n### %s\n\n| | s | ratio | peak MiB |\n|---|---:|---:|---:|\n", r.Title)
		for _, row := range r.Rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(r.cells(row), " | "))
		}
		if said := r.outcome(); said != "" {
			fmt.Fprintf(&b, "\n%s", said)
		}
	}
	return b.String()
}

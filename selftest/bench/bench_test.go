package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/selftest/bench/table"
	"nexus/selftest/kit"
)

// TestTablesAreWhole checks that tables refer only to rows that they have, and have each row once.
func TestTablesAreWhole(t *testing.T) {
	titles := map[string]bool{}
	for _, task := range append(tables(), patchTables()...) {
		if titles[task.Title] {
			t.Errorf("%s is there twice", task.Title)
		}
		titles[task.Title] = true
		rows := map[string]bool{"": true}
		for _, row := range task.Rows {
			if rows[row.Name] || row.Run == nil {
				t.Errorf("%s: row %q is there twice, has no name, or does nothing", task.Title, row.Name)
			}
			rows[row.Name] = true
		}
		if !rows[task.Floor] || !rows[task.Ours] || task.Aim != 0 && (task.Floor == "" || task.Ours == "") {
			t.Errorf("%s: no row is named %q (floor) or %q (ours)", task.Title, task.Floor, task.Ours)
		}
	}
}

// TestReportKeepsTheText checks that text around the tables is kept.
func TestReportKeepsTheText(t *testing.T) {
	name := filepath.Join(t.TempDir(), "report.md")
	kit.Must(t, os.WriteFile(name, []byte("before\n"+reportBegin+"old\n"+reportEnd+"after\n"), 0o600))
	r := newResult(Table{Title: "work", Floor: "a", Ours: "b", Aim: 0.5})
	for name, seconds := range map[string]float64{"a": 4, "b": 2} {
		r.Rows = append(r.Rows, &table.Row{Name: name, Run: func(context.Context) ([]float64, error) {
			return []float64{seconds, seconds * (1 << 19)}, nil
		}})
	}
	r.Rows = append(r.Rows, &table.Row{Name: "c", Missing: "c is not installed"})
	if err := r.Measure(t.Context(), 3, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := writeReport(name, []result{r}); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(name)
	kit.Must(t, err)
	got := string(raw)
	for _, want := range []string{"before\n", "after\n", "| a | 4.000 | 1.00 | 2 |", "| b | 2.000 | 0.50 | 1 |",
		"| c | – | – | c is not installed |", "Measured 0.50: met."} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "old") {
		t.Error("the old tables are still there")
	}
	kit.Must(t, os.WriteFile(name, []byte("no place"), 0o600))
	if err := writeReport(name, nil); err == nil {
		t.Error("a document without a place for tables was written")
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTablesAreWhole checks that tables refer only to rows that they have, and have each row once.
func TestTablesAreWhole(t *testing.T) {
	titles := map[string]bool{}
	for _, table := range tables() {
		if titles[table.Title] {
			t.Errorf("%s is there twice", table.Title)
		}
		titles[table.Title] = true
		rows := map[string]bool{"": true}
		for _, row := range table.Rows {
			if rows[row.Name] || row.Run == nil {
				t.Errorf("%s: row %q is there twice, has no name, or does nothing", table.Title, row.Name)
			}
			rows[row.Name] = true
		}
		if !rows[table.Floor] || !rows[table.Ours] || table.Aim != 0 && (table.Floor == "" || table.Ours == "") {
			t.Errorf("%s: floor %q or ours %q is no row of it", table.Title, table.Floor, table.Ours)
		}
	}
}

// TestReportKeepsTheText checks that text around the tables is kept.
func TestReportKeepsTheText(t *testing.T) {
	name := filepath.Join(t.TempDir(), "report.md")
	if err := os.WriteFile(name, []byte("before\n"+reportBegin+"old\n"+reportEnd+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	table := Table{Title: "work", Floor: "a", Ours: "b", Aim: 0.5, Rows: []Row{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
	r := result{
		Table: table,
		samples: map[string][]Sample{"a": {{2, 1 << 20}, {8, 1 << 20}, {4, 1 << 20}},
			"b": {{1, 2 << 20}, {2, 2 << 20}, {2, 2 << 20}}},
		missing: map[string]string{"c": "c is not installed"},
	}
	if err := writeReport(name, []result{r}); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	got := string(raw)
	for _, want := range []string{"before\n", "after\n", "| a | 4.000 | 1.00 | 1 |", "| b | 2.000 | 0.50 | 2 |",
		"| c | – | – | c is not installed |", "Measured 0.50: met."} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "old") {
		t.Error("the old tables are still there")
	}
	if err := os.WriteFile(name, []byte("no place"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeReport(name, nil); err == nil {
		t.Error("a document without a place for tables was written")
	}
}

package table

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// rounds returns a row with these figures, one after the other.
func rounds(name string, all ...[]float64) *Row {
	return &Row{Name: name, Run: func(context.Context) ([]float64, error) {
		next := all[0]
		all = all[1:]
		return next, nil
	}}
}

// TestTable has a floor, a row that is half as fast and cannot do everything, one that fails, and one that is missing.
func TestTable(t *testing.T) {
	show := func(v float64) string { return fmt.Sprintf("%.0f s", v) }
	table := Table{Columns: []Column{{"time", show, true}, {"stream", show, false}}, Floor: "one", Rows: []*Row{
		rounds("one", []float64{10, 7}, []float64{20, 8}, []float64{90, 9}),
		rounds("two", []float64{20, 0}, []float64{40, 0}, []float64{90, 0}),
		{Name: "three", Optional: true, Run: func(context.Context) ([]float64, error) { return nil, errors.New("a\nb") }},
		{Name: "four", Missing: "four is not installed"},
	}}
	fresh := 0
	if err := table.Measure(t.Context(), 3, func() error { fresh++; return nil }); err != nil || fresh != 7 {
		t.Fatalf("%d times fresh, %v", fresh, err)
	}
	want := strings.Join([]string{"| | time | ratio | stream |", "|---|---:|---:|---:|", "| one | 20 s | 1.00 | 8 s |",
		"| two | 40 s | 2.00 | – |", "| three | – | – | it failed: a: b |", "| four | – | – | four is not installed |",
		""}, "\n")
	if got := table.Markdown(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestWhatMustNotFailEndsTheTable has a row fail that is not optional.
func TestWhatMustNotFailEndsTheTable(t *testing.T) {
	bad := &Row{Name: "ours", Run: func(context.Context) ([]float64, error) { return nil, errors.New("broken") }}
	err := (&Table{Rows: []*Row{bad}}).Measure(t.Context(), 1, func() error { return nil })
	if err == nil || err.Error() != "ours: broken" {
		t.Errorf("got %v", err)
	}
}

// Package table measures several ways to do the same thing in turns, so that other load on the machine affects all of
// them, and prints medians, and their ratios within a round.
package table

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// A Column is one figure of a row.
type Column struct {
	Name  string
	Show  func(float64) string
	Ratio bool // with the ratio to that of the floor
}

// A Row is one way to do it.
type Row struct {
	Name     string
	Missing  string // why it is left out, if it is
	Optional bool   // it is left out if it fails
	// Run does it once and returns a figure for each column; 0 for what it cannot do.
	Run func(ctx context.Context) ([]float64, error)
}

// A Table is the rows, and what was measured.
type Table struct {
	Columns []Column
	Floor   string // the row that the others are compared with; empty: none
	Rows    []*Row

	rounds map[string][][]float64 // by the row's name
}

// Measure runs all rows so many times, and before each of them fresh.
func (t *Table) Measure(ctx context.Context, rounds int, fresh func() error) error {
	for range rounds {
		if err := t.Round(ctx, fresh); err != nil {
			return err
		}
	}
	return nil
}

// Round runs each row once more.
func (t *Table) Round(ctx context.Context, fresh func() error) error {
	if t.rounds == nil {
		t.rounds = map[string][][]float64{}
	}
	for _, row := range t.Rows {
		if row.Missing != "" {
			continue
		}
		if err := fresh(); err != nil {
			return err
		}
		figures, err := row.Run(ctx)
		switch {
		case err != nil && row.Optional && ctx.Err() == nil:
			row.Missing = "it failed: " + OneLine(err)
		case err != nil:
			return fmt.Errorf("%s: %w", row.Name, err)
		default:
			t.rounds[row.Name] = append(t.rounds[row.Name], figures)
		}
	}
	return nil
}

// OneLine returns an error's text for a cell.
func OneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", ": ") }

// Median returns the median over the rounds of a figure of a row.
func (t *Table) Median(row string, of func(figures []float64) float64) float64 {
	var all []float64
	for _, figures := range t.rounds[row] {
		all = append(all, of(figures))
	}
	return Median(all)
}

// Ratio returns the median over the rounds of a row's figure divided by the floor's in the same round.
func (t *Table) Ratio(row string, column int) float64 {
	floor, round := t.rounds[t.Floor], 0
	return t.Median(row, func(figures []float64) float64 {
		if round++; round > len(floor) {
			return 0
		}
		return figures[column] / floor[round-1][column]
	})
}

// Median returns the median, or 0 for none.
func Median[T cmp.Ordered](all []T) (none T) {
	if len(all) == 0 {
		return none
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// Cells returns a row as it is printed.
func (t *Table) Cells(row *Row) []string {
	cells := []string{row.Name}
	for i, c := range t.Columns {
		value, ratio := "–", "–"
		if v := t.Median(row.Name, func(figures []float64) float64 { return figures[i] }); row.Missing == "" && v != 0 {
			value = c.Show(v)
			if t.Floor != "" {
				ratio = fmt.Sprintf("%.2f", t.Ratio(row.Name, i))
			}
		}
		cells = append(cells, value)
		if c.Ratio {
			cells = append(cells, ratio)
		}
	}
	if row.Missing != "" {
		cells[len(cells)-1] = row.Missing
	}
	return cells
}

// Markdown returns the table as a document has it.
func (t *Table) Markdown() string {
	head, line := "| |", "|---|"
	for _, c := range t.Columns {
		head, line = head+" "+c.Name+" |", line+"---:|"
		if c.Ratio {
			head, line = head+" ratio |", line+"---:|"
		}
	}
	text := head + "\n" + line + "\n"
	for _, row := range t.Rows {
		text += "| " + strings.Join(t.Cells(row), " | ") + " |\n"
	}
	return text
}

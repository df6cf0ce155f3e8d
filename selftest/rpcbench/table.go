package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// A column is one figure of a sample. The others are compared with the first contender within each round.
type column struct {
	name string
	of   func(sample) float64
	show func(float64) string
}

func columns() []column {
	micros := func(v float64) string { return fmt.Sprintf("%.1f µs", v) }
	return []column{
		{"serial p50", func(s sample) float64 { return us(s.serial) }, micros},
		{"serial p99", func(s sample) float64 { return us(s.tail) }, micros},
		{"64 in flight", func(s sample) float64 { return s.inFlight },
			func(v float64) string { return fmt.Sprintf("%.0f k/s", v/1000) }},
		{"stream", func(s sample) float64 { return s.bulk },
			func(v float64) string { return fmt.Sprintf("%.0f MiB/s", v) }},
	}
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// print prints the table: medians over the rounds, and medians of the ratios within a round.
func print(w io.Writer, names []string, rounds [][]sample) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprint(t, "| \t")
	for _, c := range columns() {
		fmt.Fprintf(t, "| %s \t| ratio \t", c.name)
	}
	fmt.Fprint(t, "|\n|---\t")
	for range columns() {
		fmt.Fprint(t, "|---:\t|---:\t")
	}
	fmt.Fprintln(t, "|")
	for i, name := range names {
		fmt.Fprintf(t, "| %s \t", name)
		for _, c := range columns() {
			value, ratio := figures(rounds, c, i)
			if value == 0 {
				fmt.Fprint(t, "| – \t| – \t")
				continue
			}
			fmt.Fprintf(t, "| %s \t| %.2f \t", c.show(value), ratio)
		}
		fmt.Fprintln(t, "|")
	}
	return t.Flush()
}

// figures returns the median of a contender's figure, and of its ratio to that of the first contender in the same
// round.
func figures(rounds [][]sample, c column, who int) (value, ratio float64) {
	var values, ratios []float64
	for _, round := range rounds {
		v := c.of(round[who])
		values = append(values, v)
		ratios = append(ratios, v/c.of(round[0]))
	}
	return median(values), median(ratios)
}

// chains returns the time of a contender's chain of three, in units of its single call.
func chains(rounds [][]sample, who int) float64 {
	var ratios []float64
	for _, round := range rounds {
		ratios = append(ratios, us(round[who].chain)/us(round[who].serial))
	}
	return median(ratios)
}

func median[T cmp.Ordered](v []T) T {
	slices.Sort(v)
	return v[len(v)/2]
}

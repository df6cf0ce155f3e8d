package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// A result is a table with its measurements.
type result struct {
	Table
	samples map[string][]Sample // by the row's name
	missing map[string]string   // why a row was left out
}

// measure runs a table. Rows take turns, so that other load on the machine affects all of them.
func measure(ctx context.Context, p Place, t Table, rounds int, w io.Writer) (result, error) {
	r := result{Table: t, samples: map[string][]Sample{}, missing: map[string]string{}}
	var err error
	if p.Input, err = t.Input.make(p); err != nil {
		return r, err
	}
	if p.Work, err = p.fresh("work"); err != nil {
		return r, err
	}
	if _, err := Shell(t.Setup)(ctx, p); err != nil {
		return r, err
	}
	var ready []Row
	for _, row := range t.Rows {
		if why := absent(row.Needs); why != "" {
			r.missing[row.Name] = why
			continue
		}
		if _, err := Shell(row.Setup)(ctx, p); err != nil {
			r.missing[row.Name] = "its preparation failed: " + oneLine(err)
			continue
		}
		ready = append(ready, row)
	}
	if t.Once {
		rounds = 1
	}
	for range rounds {
		for _, row := range ready {
			if r.missing[row.Name] != "" {
				continue
			}
			if p.Out, err = p.fresh("out"); err != nil {
				return r, err
			}
			syscall.Sync() // so that writes of earlier rows do not count for this one
			sample, err := row.Run(ctx, p)
			switch {
			case err != nil && len(row.Needs) > 0 && ctx.Err() == nil:
				r.missing[row.Name] = "it failed: " + oneLine(err)
				continue
			case err != nil:
				return r, fmt.Errorf("%s: %w", row.Name, err)
			}
			r.samples[row.Name] = append(r.samples[row.Name], sample)
		}
	}
	for _, name := range []string{"work", "out"} {
		if _, err := p.fresh(name); err != nil {
			return r, err
		}
	}
	return r, r.print(w)
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

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", ": ") }

// median returns the median of one figure of the samples, or 0 if there are none.
func median(samples []Sample, of func(Sample) float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	var all []float64
	for _, s := range samples {
		all = append(all, of(s))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// ratio returns the median over the rounds of a row's time divided by the floor's time in the same round.
func (r result) ratio(row, floor string) float64 {
	samples, floors := r.samples[row], r.samples[floor]
	if len(floors) < len(samples) {
		return 0
	}
	var all []Sample
	for i, s := range samples {
		all = append(all, Sample{Seconds: s.Seconds / floors[i].Seconds})
	}
	return median(all, func(s Sample) float64 { return s.Seconds })
}

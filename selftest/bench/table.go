package main

import "context"

// A Table is one piece of work, done by all of its rows in turn, round after round.
type Table struct {
	Title string
	Input Input
	Quick bool // part of the quick run
	Once  bool // one round is enough: what is asked for is whether, and the memory
	Setup string
	Floor string  // the row that counts as 1
	Aim   float64 // the most that Ours may take in floors; 0 is none
	Ours  string
	Rows  []Row
}

// A Row is one way to do the work of its table.
type Row struct {
	Name string
	// Needs are programs that must be installed; the row is left out, and says so, where one is missing.
	Needs []string
	// Setup is a shell script that runs once, before the rounds. May be empty.
	Setup string
	// Run does the work once and says what it took: Shell for a script, else a function.
	Run func(ctx context.Context, p Place) (Sample, error)
}

// A Sample is what doing the work once took.
type Sample struct {
	Seconds float64
	Peak    int64 // resident memory at its most, in bytes, of the process that had most
}

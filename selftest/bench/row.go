package main

import "context"

// A Table is one task, done by each of its rows in turn, round after round.
type Table struct {
	Title string
	Input Input
	Quick bool // part of the quick run
	Once  bool // one round is enough, because the table is about success and memory
	Setup string
	Floor string  // the row whose time is the unit
	Aim   float64 // the highest acceptable ratio of Ours to Floor; 0: none
	Ours  string
	Rows  []Row
}

// A Row is one way to do the table's task.
type Row struct {
	Name string
	// Needs lists programs that must be installed. If one is missing, the row is left out with a note.
	Needs []string
	// Setup is a shell script that runs once before the rounds. It may be empty.
	Setup string
	// Run does the task once and returns what it took: Shell for a script, or another function.
	Run func(ctx context.Context, p Place) (Sample, error)
}

// A Sample is what one run took.
type Sample struct {
	Seconds float64
	Peak    int64 // peak resident memory, in bytes, of the process that had the most
}

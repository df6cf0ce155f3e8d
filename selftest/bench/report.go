package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// markdown returns the table under its title.
func (r result) markdown() string { return fmt.Sprintf("\n### %s\n\n%s", r.task.Title, r.Markdown()) }

// outcome says whether the target ratio was met.
func (r result) outcome() string {
	if r.task.Aim == 0 {
		return ""
	}
	got, word := r.Ratio(r.task.Ours, seconds), "met"
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
		tables += r.markdown()
		if said := r.outcome(); said != "" {
			tables += "\n" + said
		}
	}
	return os.WriteFile(name, []byte(before+reportBegin+tables+reportEnd+after), 0o644)
}

// origin describes the machine on which the figures were measured.
func origin() string {
	load, _, _ := strings.Cut(line("/proc/loadavg", ""), " ")
	return fmt.Sprintf("\n%s, %d cores, %s, kernel %s, load at the end %s; SHA instructions: %s, AVX-512: %s.\n",
		line("/proc/cpuinfo", "model name"), runtime.NumCPU(), runtime.Version(),
		line("/proc/sys/kernel/osrelease", ""), load, has("sha_ni"), has("avx512bw"))
}

// line is the value of a key in a file of `key : value`, or the first line without a key.
func line(file, key string) string {
	text, _ := os.ReadFile(file)
	for l := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(l, ":")
		switch {
		case key == "":
			return strings.TrimSpace(l)
		case strings.TrimSpace(name) == key:
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func has(flag string) string {
	if slices.Contains(strings.Fields(line("/proc/cpuinfo", "flags")), flag) {
		return "yes"
	}
	return "no"
}

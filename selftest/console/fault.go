package console

import "strings"

// A sign matches lines that no healthy system prints.
type sign struct {
	what   string
	prefix string // start of the line, or
	within string // part of it
}

// DaemonCrash is the fault of a line that reports the end of a daemon. The system goes on and restarts the daemon.
const DaemonCrash = "a daemon crashed"

func signs() []sign {
	return []sign{
		{what: DaemonCrash, prefix: "initd: crash "},
		{what: "a program of Go crashed", prefix: "panic: "},
		{what: "a program of Go crashed", prefix: "fatal error: "},
		{what: "a slot no longer holds what was signed", prefix: "updated: audit op=damaged "},
		{what: "the boot record was lost", prefix: "updated: audit op=record "},
		{what: "the first process gave up", prefix: "init: fatal:"},
		{what: "the selftest failed", prefix: "SELFTEST: ota failed"},
		{what: "the state disk is damaged", prefix: "init: state disk: damaged"},
		{what: "the state disk is damaged", within: "EXT4-fs error "},
		{what: "the state disk was not recovered in order", within: "JBD2: "},
		{what: "kernel panic", within: "Kernel panic - "},
		{what: "kernel fault", within: "Oops: "},
		{what: "kernel fault", within: "Internal error: Oops"},
		{what: "kernel fault", within: "BUG: "},
		{what: "the kernel ran out of memory", within: "Out of memory: "},
	}
}

// Fault returns the fault that a line reports, or "" for an ordinary line.
func Fault(line string) string {
	for _, s := range signs() {
		if s.prefix != "" && strings.HasPrefix(line, s.prefix) || s.within != "" && strings.Contains(line, s.within) {
			return s.what
		}
	}
	return ""
}

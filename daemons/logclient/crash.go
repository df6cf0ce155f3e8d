package logclient

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"nexus/capnpgen/journal"
)

// Bounds on the texts of a crash report, in bytes.
const (
	maxOutput = 3 << 10
	maxTrace  = 4 << 10
)

// A Crash is the report of a process that ended as it should not have. It has nothing of the process's memory but what
// the process wrote itself.
type Crash struct {
	Process  string // a daemon's name, or bundle:NAME
	Exit     string // how it ended, in words
	Code     int    // its exit code, if no signal ended it
	Signal   int    // 0: none
	Version  string
	Slot     string
	Set      string // the SHA-256 of the set's index, in hex
	Uptime   time.Duration
	Restarts uint32   // before this end
	Limits   []string // that it hit, as far as that is known: see LimitsIn
	Output   []string // its last lines; the newest are kept
	Trace    []string // the beginning of a Go program's trace, as it wrote it
}

// Crash reports that a process ended. logd adds the last records of that process.
func (l *Log) Crash(c Crash) {
	e := Entry{Level: journal.Level_error, Kind: journal.Kind_crash, Message: "crash", Fields: []Field{
		{"process", c.Process}, {"exit", c.Exit},
	}}
	for _, f := range []Field{
		{"code", numberOr(c.Code)}, {"signal", numberOr(c.Signal)}, {"version", c.Version}, {"slot", c.Slot},
		{"set", c.Set}, {"uptime", c.Uptime.Round(time.Millisecond).String()},
		{"restarts", strconv.FormatUint(uint64(c.Restarts), 10)}, {"limits", strings.Join(c.Limits, ",")},
		{"output", Newest(c.Output, maxOutput)}, {"trace", oldest(c.Trace, maxTrace)},
	} {
		if f.Value != "" {
			e.Fields = append(e.Fields, f)
		}
	}
	l.queue.add(e)
}

// numberOr returns a number as text, or "" for 0.
func numberOr(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// Newest joins as many of the last lines as fit into size bytes. One line that is longer is cut at its front.
func Newest(lines []string, size int) string {
	joined := strings.Join(lines, "\n")
	if len(joined) <= size {
		return joined
	}
	tail := joined[len(joined)-size:]
	if i := strings.IndexByte(tail, '\n'); i >= 0 && i+1 < len(tail) {
		tail = tail[i+1:]
	}
	return tail
}

// oldest joins as many of the first lines as fit into size bytes.
func oldest(lines []string, size int) string {
	joined := strings.Join(lines, "\n")
	if len(joined) <= size {
		return joined
	}
	return joined[:max(strings.LastIndexByte(joined[:size], '\n'), 0)]
}

// BeginsTrace reports whether a line is the one in which a Go program says why it crashes; the lines after it say
// where.
func BeginsTrace(line string) bool {
	return slices.ContainsFunc([]string{"panic: ", "fatal error: ", "SIGQUIT: ", "SIGABRT: ", "SIGSEGV: "},
		func(beginning string) bool { return strings.HasPrefix(line, beginning) })
}

// The limits that a process can hit.
const (
	LimitMemory      = "memory"
	LimitTasks       = "pids"
	LimitDescriptors = "descriptors"
	LimitQuota       = "quota"
)

// LimitsIn returns the limits that a process ran into by its own word: in what it wrote before it ended. The kernel
// tells only the process about most of them.
func LimitsIn(lines []string) (limits []string) {
	said := strings.ToLower(strings.Join(lines, "\n"))
	for _, l := range []struct {
		name  string
		words []string
	}{
		{LimitMemory, []string{"out of memory", "cannot allocate memory"}},
		{LimitTasks, []string{"resource temporarily unavailable", "failed to create new os thread"}},
		{LimitDescriptors, []string{"too many open files"}},
		{LimitQuota, []string{"disk quota exceeded", "no space left on device"}},
	} {
		if slices.ContainsFunc(l.words, func(word string) bool { return strings.Contains(said, word) }) {
			limits = append(limits, l.name)
		}
	}
	return limits
}

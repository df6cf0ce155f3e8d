package plat

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Turn is the scheduling record of a process so far; only its first thread, where the kernel counts by thread.
type Turn struct {
	Ran      time.Duration // on a processor
	Waited   time.Duration // runnable, for a processor
	Runnable bool          // it runs now, or waits for a processor
}

// TurnOf reads the scheduling record of a process (proc(5): schedstat, stat). Not every kernel keeps one.
func TurnOf(pid int) (t Turn, known bool) {
	times, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return t, false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return t, false
	}
	return parseTurn(times, stat)
}

func parseTurn(times, stat []byte) (t Turn, known bool) {
	if n, _ := fmt.Sscan(string(times), &t.Ran, &t.Waited); n != 2 {
		return Turn{}, false
	}
	_, state, found := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" ")) // its name may hold anything
	if !found || len(state) == 0 {
		return Turn{}, false
	}
	t.Runnable = state[0] == 'R'
	return t, true
}

// PSS returns the proportional set size of a process, in bytes: its memory, with what it shares counted in shares
// (proc_pid_smaps(5)). 0 when there is no such process or the kernel does not tell.
func PSS(pid int) uint64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(raw), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "Pss:" && fields[2] == "kB" {
			kilobytes, _ := strconv.ParseUint(fields[1], 10, 54)
			return kilobytes << 10
		}
	}
	return 0
}

package plat

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// A Turn is how the kernel has let a process run so far: its first thread, as far as it is counted by threads.
type Turn struct {
	Ran      time.Duration // on a processor
	Waited   time.Duration // for a processor, though it could have run
	Runnable bool          // it runs now, or waits for a processor
}

// TurnOf asks the kernel how a process was let run (proc(5): schedstat, stat). Not every kernel counts that.
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

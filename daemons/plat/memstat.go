package plat

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

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

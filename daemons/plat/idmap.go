package plat

import (
	"fmt"
	"os"
	"strings"
)

// mapsUsers reports whether the user ids of daemons and payloads exist here. A user namespace, such as that of a
// rootless container, may map only one id, or only those that its user was assigned, and may forbid setgroups(2).
func mapsUsers() bool {
	if word, err := os.ReadFile("/proc/self/setgroups"); err == nil && strings.TrimSpace(string(word)) != "allow" {
		return false
	}
	for _, table := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		text, err := os.ReadFile(table)
		if err == nil && !mapped(string(text), FirstDaemonUser, FirstPayloadUser+payloadUsers) {
			return false
		}
	}
	return true
}

// mapped reports whether one line of a table (user_namespaces(7)) maps all ids from first up to, but not including,
// end.
func mapped(table string, first, end uint64) bool {
	for line := range strings.Lines(table) {
		var inside, outside, length uint64
		if n, _ := fmt.Sscan(line, &inside, &outside, &length); n == 3 && inside <= first && end <= inside+length {
			return true
		}
	}
	return false
}

package plat

import (
	"fmt"
	"os"
	"strings"
)

// mapsUsers tells whether the users that daemons and payloads are given exist here: in a user namespace, such as that
// of a container without root, there may be one user only, or as many as somebody was lent, and groups may not be set.
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

// mapped tells whether a table (user_namespaces(7)) has all numbers from first to before end. A stretch of them may not
// be cut in two.
func mapped(table string, first, end uint64) bool {
	for line := range strings.Lines(table) {
		var inside, outside, length uint64
		if n, _ := fmt.Sscan(line, &inside, &outside, &length); n == 3 && inside <= first && end <= inside+length {
			return true
		}
	}
	return false
}

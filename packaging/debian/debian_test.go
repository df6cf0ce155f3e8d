// Package debian_test checks the files of the Debian packages against the programs that they describe.
package debian_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

	"nexus/daemons/initd"
)

// TestUsers: every daemon's user has a name, and no other user has.
func TestUsers(t *testing.T) {
	raw, err := os.ReadFile("sysusers.conf")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, d := range initd.Table() {
		if d.Confinement.User != 0 {
			want = append(want, fmt.Sprintf("nexus-%s %d", d.Name, d.Confinement.User))
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^u (\S+) +(\d+) `).FindAllStringSubmatch(string(raw), -1) {
		got = append(got, m[1]+" "+m[2])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

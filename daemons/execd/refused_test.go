package execd

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"nexus/daemons/plat"
)

// What programs of several languages write for a refusal of the confinement is known for what it is.
func TestOwnWords(t *testing.T) {
	for line, want := range map[string]string{
		"listen tcp :8080: socket: operation not permitted":                 grantSocket,
		"dial tcp: lookup example.org: operation not permitted":             grantSocket,
		"PermissionError: [Errno 1] Operation not permitted: socket":        grantSocket,
		"open /etc/hosts: permission denied":                                grantPath,
		`Error: Os { code: 13, message: "Permission denied" } opening /srv`: grantPath,
		"cannot open /var/lib/x: Permission denied (os error 13)":           grantPath,
		"fork/exec /bin/sh: permission denied":                              grantStart,
		"bpf: operation not permitted":                                      grantCall,
		"ready":                                                             "",
		"listening on port 80":                                              "",
		"":                                                                  "",
	} {
		if got := grantFor(line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

func TestToldRefusals(t *testing.T) {
	r := &refusals{}
	for range 3 {
		r.name("PackageFs")
	}
	r.name("Network")
	output := []string{"starting", "socket: operation not permitted", "socket: operation not permitted again",
		"open /x: permission denied"}
	got := r.told(output, plat.Exit{Signal: int(syscall.SIGSYS)})
	if len(got) != maxRefused || !strings.HasPrefix(got[0], "killed for a system call") ||
		!strings.HasPrefix(got[1], `looked up "PackageFs"`) || !strings.Contains(got[2], "no manifest grants") ||
		!strings.HasPrefix(got[3], `by its own word "socket: operation not permitted": a bundle makes no sockets`) {
		t.Errorf("got %q", got)
	}
	if got := (&refusals{}).told([]string{"all is well"}, plat.Exit{}); len(got) != 0 {
		t.Errorf("nothing was refused, and it is said: %q", got)
	}
}

// A program can make none of this long.
func TestToldRefusalsAreBounded(t *testing.T) {
	r := &refusals{}
	for i := range 1000 {
		r.name(strings.Repeat("n", i))
	}
	long := "open " + strings.Repeat("é", 5000) + ": permission denied"
	for _, line := range r.told(slices.Repeat([]string{long}, 100), plat.Exit{}) {
		if len(line) > maxRefusedLine {
			t.Errorf("a line has %d bytes", len(line))
		}
	}
}

package execd

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	servicecap "nexus/capnpgen/service"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/health"
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
	r.name("bundle/" + strings.Repeat("é", 1<<20))
	long := "open " + strings.Repeat("é", 5000) + ": permission denied"
	told := r.told(slices.Repeat([]string{long}, 100), plat.Exit{})
	for _, line := range slices.Concat(told, r.lines) {
		if len(line) > maxRefusedLine || !utf8.ValidString(line) {
			t.Errorf("a line has %d bytes: %q", len(line), line)
		}
	}
}

// What a service answers is shown to others, and kept: none of it is long.
func TestAnswersAreBounded(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	talks := servicecap.Service_ServerToClient(talkative(long))
	defer talks.Release()
	version, err := askVersion(t.Context(), talks)
	if err != nil || len(version) > maxAnswer {
		t.Errorf("the version has %d bytes, %v", len(version), err)
	}
	for _, want := range []string{"1.0.0", version} {
		a, err := askHealth(t.Context(), talks, version, want)
		if err != nil || a.detail == "" || len(a.detail) > maxAnswer || !utf8.ValidString(a.detail) {
			t.Errorf("the detail has %d bytes, %v", len(a.detail), err)
		}
	}
	sup := &supervisor{means: &means{forwarder: newForwarder(nil)}, changed: vat.NewNotifier()}
	s := newService(t.Context(), sup, spec{})
	s.say(t.Context(), true, health.Unhealthy, long)
	if len(s.Detail) > maxAnswer || len(s.failure.how) > maxAnswer {
		t.Errorf("it is shown with %d and %d bytes", len(s.Detail), len(s.failure.how))
	}
}

// A talkative service answers everything with one text.
type talkative string

func (s talkative) Version(_ context.Context, call servicecap.Service_version) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetVersion(string(s))
}

func (s talkative) Health(_ context.Context, call servicecap.Service_health) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetDetail(string(s))
}

package execd

import (
	"slices"
	"testing"

	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// What a set asks for and is not granted speaks against the set; a port that is in use does not.
func TestDenialIsAVerdict(t *testing.T) {
	for _, c := range []struct {
		reason refusal.Reason
		want   health.State
	}{
		{refusal.PolicyDenied, health.StartFailed},
		{refusal.PortTaken, health.StartFailed},
		{refusal.IO, health.Hindered},
	} {
		if got := stateOf(refusal.New(c.reason, "x")); got != c.want {
			t.Errorf("%s: got %v, want %v", c.reason, got, c.want)
		}
	}
}

// Sockets come before devices, wherever they are in the manifest.
func TestFileNames(t *testing.T) {
	names := spec{powers: []string{"device:led", "net.listen:tcp/80", "net.listen:tcp/443"}}.fileNames()
	if !slices.Equal(names, []string{"tcp/80", "tcp/443", "device/led"}) {
		t.Errorf("got %q", names)
	}
}

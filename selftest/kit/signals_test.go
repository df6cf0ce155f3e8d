package kit_test

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"nexus/selftest/kit"
)

// TestHearSignals sends a child signals that this process ignores.
func TestHearSignals(t *testing.T) {
	signals := []os.Signal{os.Interrupt, syscall.SIGHUP}
	signal.Ignore(signals...)
	defer signal.Reset(signals...)
	endedBy := func(s os.Signal) os.Signal {
		cmd := exec.CommandContext(t.Context(), "cat")
		in, err := cmd.StdinPipe()
		kit.Must(t, err)
		kit.Must(t, cmd.Start())
		kit.Must(t, cmd.Process.Signal(s))
		in.Close() // who ignores the signal ends by this
		cmd.Wait()
		return cmd.ProcessState.Sys().(syscall.WaitStatus).Signal()
	}
	for _, s := range signals {
		if got := endedBy(s); got == s {
			t.Errorf("a child ended by %v, which it was to ignore", s)
		}
	}
	kit.HearSignals()
	for _, s := range signals {
		if got := endedBy(s); got != s {
			t.Errorf("a child ended by %v, want %v", got, s)
		}
	}
}

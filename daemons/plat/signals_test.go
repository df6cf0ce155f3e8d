package plat_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"nexus/daemons/plat"
)

// TestUntilSignalChild lets the test program be the process that is sent signals.
func TestUntilSignalChild(t *testing.T) {
	if os.Getenv("NEXUS_SIGNALS") == "" {
		t.Skip("only as the child of TestIgnoredSignalsStayIgnored")
	}
	ctx := plat.UntilSignal(context.Background(), syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM)
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
}

// TestIgnoredSignalsStayIgnored sends a process two signals, of which it was told to ignore the first before it began,
// or not.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	// What is handled here has its default in the child, also where nohup or a shell's `&` started the tests without.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(handled)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for _, c := range []struct{ ignored, want string }{
		{"", "hangup"}, {"HUP", "interrupt"}, {"HUP INT", "terminated"},
	} {
		trap := "trap '' " + c.ignored + "; "
		if c.ignored == "" {
			trap = ""
		}
		cmd := exec.CommandContext(ctx, "sh", "-c", trap+`exec "$0" -test.run '^TestUntilSignalChild$'`,
			os.Args[0])
		cmd.Env = append(os.Environ(), "NEXUS_SIGNALS=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() && lines.Text() != "ready" {
		}
		for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
			if err := cmd.Process.Signal(s); err != nil {
				break // it has ended
			}
			if strings.Contains(strings.ToUpper(fmt.Sprint(s)), strings.ToUpper(c.want)) {
				break
			}
		}
		lines.Scan()
		if !strings.Contains(lines.Text(), c.want) {
			t.Errorf("with %q ignored it ended with %q, want %q", c.ignored, lines.Text(), c.want)
		}
		for lines.Scan() {
		}
		cmd.Wait()
	}
}

package nxspack

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// endlessEnv selects the packer in a test process: TestMain runs it instead of the tests.
const endlessEnv = "NXSPACK_TEST_ENDLESS"

// endless makes a file, or a folder, that is never completed.
func endless(target string) int {
	c := &command{name: "endless", stdout: os.Stdout, stderr: os.Stderr}
	ctx := UntilSignal()
	err := c.finish(ctx, func(...any) error {
		wait := func() error {
			os.Stdout.WriteString("begun\n")
			<-ctx.Done()
			return context.Cause(ctx)
		}
		if strings.HasSuffix(target, "/") {
			return c.publishDir(target, func(dir string) error {
				return errors.Join(os.WriteFile(filepath.Join(dir, "half"), nil, 0o600), wait())
			})
		}
		return c.publishFile(target, func(*os.File) error { return wait() })
	})
	c.report(explain(err))
	return exitRefused
}

// A signal removes incomplete output, and the command reports it.
func TestSignalsLeaveNothing(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"set.nxs", "bundle.nxb/"} {
		for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
			if signal.Ignored(sig.(syscall.Signal)) {
				t.Logf("%v is not tried: it is ignored in this process, as under nohup, and so in its children", sig)
				continue
			}
			dir := t.TempDir()
			var stderr strings.Builder
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, self)
			cmd.Env = append(os.Environ(), endlessEnv+"="+filepath.Join(dir,
				target)+target[len(strings.TrimSuffix(target, "/")):])
			cmd.Stderr, cmd.WaitDelay = &stderr, time.Minute
			stdout, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			begun := make([]byte, len("begun\n"))
			if _, err := stdout.Read(begun); err != nil {
				t.Fatal(err)
			}
			if left := names(t, dir); len(left) != 1 {
				t.Errorf("%s, %v: while it is made there is %v", target, sig, left)
			}
			cmd.Process.Signal(sig)
			cmd.Wait()
			if cmd.ProcessState.ExitCode() != exitRefused || !strings.Contains(stderr.String(), "signal received") {
				t.Errorf("%s, %v: it ended with %v, %q", target, sig, cmd.ProcessState, stderr.String())
			}
			if left := names(t, dir); len(left) != 0 {
				t.Errorf("%s, %v: it left %v", target, sig, left)
			}
		}
	}
}

// The command does not wait for a verb that waits for something outside.
func TestEndsWhileItWaits(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop, forever := errors.New("stop"), make(chan struct{})
	defer close(forever)
	c := &command{}
	err := c.finish(ctx, func(...any) error {
		cancel(stop)
		<-forever
		return nil
	})
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

package main

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// upCommand is `guest up` as a user has it.
func upCommand(t *testing.T, arch string, more ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "bin/guest", append([]string{"up", arch, "--dir", t.TempDir()}, more...)...)
	cmd.Dir = "../.."
	var errs bytes.Buffer
	cmd.Stderr = &errs
	return cmd, &errs
}

func TestUpFailsWhereTheGuestGaveUp(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		cmd, errs := upCommand(t, m.Arch, "--param=--factory=/none")
		cmd.Run()
		if want := "guest: the guest gave up: init: fatal: open /none: no such file or directory\n"; cmd.ProcessState.ExitCode() != 1 || errs.String() != want {
			t.Errorf("%v, %q, want %q", cmd.ProcessState, errs, want)
		}
	})
}

// A second signal ends what does not heed the first.
func TestUpEndsAStoppedQEMU(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		cmd, _ := upCommand(t, m.Arch)
		console := &recorder{found: make(chan struct{}), text: "init: health ok (slot a)"}
		cmd.Stdout = console
		kit.Must(t, cmd.Start())
		await(t, console.found, "the first commit")
		machine := child(t, cmd.Process.Pid)
		syscall.Kill(machine, syscall.SIGSTOP)
		again := time.NewTicker(100 * time.Millisecond)
		defer again.Stop()
		over := make(chan struct{})
		go func() { cmd.Wait(); close(over) }()
		for ended := false; !ended; {
			select {
			case <-over:
				ended = true
			case <-again.C:
				cmd.Process.Signal(syscall.SIGINT)
			}
		}
		if cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("%v, want exit code 1", cmd.ProcessState)
		}
		awaitGone(t, machine)
	})
}

// Many operators at once, each coming and going, have no effect on each other.
func TestParallelOperators(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		r := up(t, m)
		r.await("init: health ok (slot a)", 1)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for range 10 {
					args := []string{"status"}
					if i%2 == 0 {
						args = []string{"--json", "stage", set(m.Arch, "bad-signature.nxs")}
					}
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					out, _ := r.command(ctx, args...).CombinedOutput()
					cancel()
					if text := string(out); !strings.Contains(text, "1.0.0 in slot a, healthy") &&
						!strings.Contains(text, "invalid-signature") &&
						!strings.Contains(text, "stage-in-progress") {
						t.Errorf("nx %q: %s", args, text)
						return
					}
				}
			})
		}
		all.Wait()
		r.nx("shutdown").want(t, 0, "is down")
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

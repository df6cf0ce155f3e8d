package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/libupdates/trust"
)

// An interrupt while a device is dialled does not mean that nobody answers there.
func TestInterruptedDial(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(trust.SeedText(trust.NewSeed())+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	run(ctx, "--to", "127.0.0.1:1", "--key", key, "--device-key", aKey, "status").want(t, 1, "",
		"nx: cannot reach the system at 127.0.0.1:1: interrupted\n")
}

// Nobody ever writes to the pipe.
func TestInterruptedPipe(t *testing.T) {
	p := startPeer(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithTimeout(t.Context(), 2*time.Second)
	defer interrupt()
	got := run(ctx, "--dir", p.dir, "stage", pipe)
	if got.status != 1 || !strings.HasSuffix(got.stderr, ": interrupted\n") {
		t.Errorf("%+v", got)
	}
}

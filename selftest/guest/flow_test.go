package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/daemons/initd/machine"
	"nexus/selftest/console"
	"nexus/selftest/kernel"
	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// flow runs the update flow in a machine and returns what the watcher made of it.
func flow(t *testing.T, m qemu.Machine) error {
	t.Helper()
	m.Args = append(m.Args, "--selftest", machine.GuestSets)
	guest, err := qemu.Start(m, "")
	kit.Must(t, err)
	markers := console.OTA()
	if m.Disk.File != "" {
		markers = console.Persistent()
	}
	var out bytes.Buffer
	w := console.Watcher{
		Markers: markers, Boot: machine.LineFirst, Timeout: time.After(patience), Patience: console.DefaultPatience,
		Out: &out,
	}
	err = w.Run(guest)
	if err != nil {
		t.Logf("the console:\n%s", &out)
	}
	return err
}

// Every marker of the flow, from real transitions, and the machine powers itself off.
func TestFlow(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		if err := flow(t, m); err != nil {
			t.Error(err)
		}
	})
}

// What is wrong with a guest is said at once, in the words of whoever noticed.
func TestBadGuests(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		for _, c := range []struct {
			name  string
			spoil func(*testing.T, *qemu.Machine)
			want  string
		}{
			{"damaged image", truncateImage, "kernel panic: "},
			{"module for another kernel", badModule,
				"the first process gave up: init: fatal: cannot load module /lib/modules/000-virtio.ko: "},
			// it runs to its end unheard: whoever resets it for its silence only has it begin again
			{"no console", func(_ *testing.T, m *qemu.Machine) { m.Console, m.Wake = "console=null", patience },
				`the system ended before "updated: ready (non-persistent)"`},
			{"too little memory", func(_ *testing.T, m *qemu.Machine) { m.Memory = 128 },
				"the kernel ran out of memory: "},
			{"wrong word for init", func(_ *testing.T, m *qemu.Machine) { m.Args = []string{"--tries", "none"} },
				"the first process gave up: init: fatal: "},
			{"no kernel", func(_ *testing.T, m *qemu.Machine) { m.Kernel.Kernel = m.Image + ".none" },
				`QEMU exit code 1`},
		} {
			t.Run(c.name, func(t *testing.T) {
				spoiled := m
				c.spoil(t, &spoiled)
				err := flow(t, spoiled)
				var failure *console.Failure
				if !errors.As(err, &failure) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			})
		}
	})
}

// With less memory than a kernel needs to say so, no machine is started.
func TestTooLittleMemoryForAKernel(t *testing.T) {
	_, err := qemu.Start(qemu.Machine{Arch: "riscv64", Memory: 64}, "")
	if err == nil ||
		err.Error() != "cannot start guest: 64 MiB of memory are too few for a guest: it needs 128 MiB, and is at ease with 384" {
		t.Errorf("got %v", err)
	}
}

// truncateImage gives the machine half of its image.
func truncateImage(t *testing.T, m *qemu.Machine) {
	raw, err := os.ReadFile(m.Image)
	kit.Must(t, err)
	m.Image = filepath.Join(t.TempDir(), "half")
	kit.Must(t, os.WriteFile(m.Image, raw[:len(raw)/2], 0o600))
}

// badModule gives the machine an image with a module that no kernel takes.
func badModule(t *testing.T, m *qemu.Machine) {
	dir := t.TempDir()
	module := filepath.Join(dir, "virtio.ko")
	kit.Must(t, os.WriteFile(module, []byte("no module"), 0o600))
	m.Image = rebuild(t, m.Arch, kernel.Cached{Modules: []string{module}})
}

// launch starts this command as a user does and waits until the guest's first process speaks.
func launch(t *testing.T, arch string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "bin/guest", "run", arch)
	cmd.Dir = "../.."
	out, err := cmd.StdoutPipe()
	kit.Must(t, err)
	kit.Must(t, cmd.Start())
	var seen []byte
	for buf := make([]byte, 4096); !bytes.Contains(seen, []byte(machine.LineFirst)); {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatalf("%v before the first process spoke:\n%s", err, seen)
		}
		seen = append(seen, buf[:n]...)
	}
	return cmd
}

// However the command ends, QEMU ends with it.
func TestNothingIsLeftBehind(t *testing.T) {
	for _, arch := range guests(t) {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(arch+"/"+signal.String(), func(t *testing.T) {
				cmd := launch(t, arch)
				machine := child(t, cmd.Process.Pid)
				cmd.Process.Signal(signal)
				cmd.Wait()
				awaitGone(t, machine)
				if signal == syscall.SIGKILL {
					return // its folder of sockets stays; nobody is left to remove it
				}
				if cmd.ProcessState.ExitCode() != 1 {
					t.Errorf("%v, want exit code 1", cmd.ProcessState)
				}
			})
		}
	}
}

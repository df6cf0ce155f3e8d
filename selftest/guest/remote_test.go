package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// remotePort is where the machine lets operators in.
const remotePort = 7777

// An elsewhere is an operator who reaches a machine over its network.
type elsewhere struct {
	*running
	machine qemu.Machine
	port    uint16 // of this host
	key     string // the private key
	device  string // the device's key
}

// listening starts a machine that lets an operator in.
func listening(t *testing.T, m qemu.Machine) *elsewhere {
	t.Helper()
	e := &elsewhere{port: unused(t), key: filepath.Join(t.TempDir(), "anna")}
	tool(t, "nxs-pack", "keygen", "--output", e.key)
	m.Disk.File = filepath.Join(t.TempDir(), "disk")
	kit.Must(t, qemu.MakeDisk(m.Disk.File, 64<<20))
	m.Reboots = true
	m.Forward = []qemu.Forward{{Host: e.port, Guest: remotePort}}
	m.Image = imageWith(t, m, map[string]string{"/etc/anna.pub": e.key + ".pub"})
	m.Args = []string{"--listen", fmt.Sprintf("0.0.0.0:%d", remotePort), "--operator", "/etc/anna.pub=operator"}
	e.machine = m
	e.again(t)
	return e
}

// again starts the machine, and takes the device's key from its log.
func (e *elsewhere) again(t *testing.T) {
	t.Helper()
	e.running = up(t, e.machine)
	e.await("init: health ok", 1)
	log := e.nx("log", "--sender", "initd")
	found := regexp.MustCompile(`operators come in over the network .* device=([0-9a-f]+)`).FindStringSubmatch(log.stdout)
	if found == nil {
		t.Fatalf("no key of the device in\n%s", log.stdout)
	}
	if e.device == "" {
		e.device = filepath.Join(t.TempDir(), "device.pub")
		kit.Must(t, os.WriteFile(e.device, []byte(found[1]+"\n"), 0o600))
	}
}

// command is nx by the operator's key, over the network.
func (e *elsewhere) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "../../bin/nx", append([]string{"--to", fmt.Sprintf("127.0.0.1:%d", e.port),
		"--key", e.key, "--device-key", e.device}, args...)...)
}

// far runs nx by the operator's key to its end.
func (e *elsewhere) far(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return outcomeOf(t, e.command(ctx, args...))
}

// begin starts nx by the operator's key, and returns once it has said a text.
func (e *elsewhere) begin(t *testing.T, text string, args ...string) (cmd *exec.Cmd, said *recorder) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	cmd, said = e.command(ctx, args...), &recorder{text: text, found: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = said, said
	kit.Must(t, cmd.Start())
	await(t, said.found, text)
	return cmd, said
}

// An operator elsewhere updates a machine over its network. Its cable is pulled out in the middle and put back; then
// both ends die in the middle; then the machine is reset during a trial. Each time it goes on, or begins again.
func TestOperatorElsewhere(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		e := listening(t, m)
		e.far(t, "status").want(t, 0, "1.0.0 in slot a, healthy")
		update, said := e.begin(t, "%", "update", set(m.Arch, "system-v1.1.0.nxs"))
		e.Link(false)
		e.nx("status").want(t, 0, "a set is being received")
		e.Link(true)
		if err := update.Wait(); err != nil {
			t.Fatalf("the update over a cable that was pulled out: %v\n%s", err, &said.seen)
		}
		e.far(t, "status").want(t, 0, "1.1.0 in slot b, healthy")

		update, _ = e.begin(t, "%", "update", "--downgrade", set(m.Arch, "system-v1.0.0.nxs"))
		update.Process.Kill()
		e.Kill()
		update.Wait()
		e.end()
		e.again(t)
		e.far(t, "status").want(t, 0, "1.1.0 in slot b, healthy")

		update, _ = e.begin(t, "is on trial", "update", "--downgrade", set(m.Arch, "system-v1.0.0.nxs"))
		e.Reset()
		e.await("init: health ok (slot a)", 1)
		update.Process.Kill() // it may have seen the verdict
		update.Wait()
		e.far(t, "status").want(t, 0, "1.0.0 in slot a, healthy")
		e.far(t, "shutdown").want(t, 0, "is down")
		if err := e.end(); err != nil {
			t.Error(err)
		}
	})
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"nexus/daemons/initd"
	"nexus/selftest/image"
	"nexus/selftest/qemu"
)

// saboteurPort is where the saboteur takes its orders.
const saboteurPort = "org.nexus.saboteur"

// sabotaged is the machine with the demo's image, of which the first process is the saboteur until it becomes init.
func sabotaged(t *testing.T, m qemu.Machine) qemu.Machine {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "saboteur")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, "nexus/selftest/saboteur")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+m.Arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build saboteur: %v\n%s", err, out)
	}
	spec, err := top().place(m.Arch).spec(m.Kernel.Modules)
	if err != nil {
		t.Fatal(err)
	}
	spec.Init, spec.Sets = program, nil
	m.Image = filepath.Join(dir, "initramfs")
	if _, err := image.WriteFile(m.Image, spec); err != nil {
		t.Fatal(err)
	}
	m.Ports = []string{saboteurPort}
	return m
}

// order tells the saboteur what to do.
func (r *running) order(what string) {
	r.t.Helper()
	port, err := r.Port(saboteurPort)
	if err != nil {
		r.t.Fatal(err)
	}
	defer port.Close()
	if _, err := fmt.Fprintln(port, what); err != nil {
		r.t.Fatal(err)
	}
	r.await(initd.LineFirst, count(r.console(), initd.LineFirst)+1)
}

// Each boot knows why it began: by what the record says, or by what the machine shows. A core that hangs is ended by the watchdog, and the machine
// comes back to the set before by itself.
func TestWhyABootBegan(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		hangs := withCore(t, m.Arch, "2.0.0", filepath.Join("../../out/guest", m.Arch, "demo/work/1.1.0/ticker"))
		m = sabotaged(t, m)
		m.Disk.File = filepath.Join(t.TempDir(), "disk")
		m.Reboots = true
		m.Args = append(m.Args, "--watchdog", "40s", "--tries", "1")
		if err := qemu.MakeDisk(m.Disk.File, testDisk); err != nil {
			t.Fatal(err)
		}
		r := up(t, m)
		for boot, c := range []struct {
			end   func()
			cause string
			ends  int // abrupt ones in a row, of the set that runs
		}{
			{func() {}, "power", 0},
			{func() { r.order("panic") }, "crash", 1},
			{func() {
				r.nx("stage", hangs).want(t, 0, "staged")
				r.nx("switch").want(t, 0, "")
			}, "watchdog", 0},
			{func() { r.nx("reboot").want(t, 0, "begins anew") }, "commanded", 0},
		} {
			c.end()
			r.await("init: health ok (slot a)", 1+boot)
			r.nx("status", "--json").want(t, 0, fmt.Sprintf(`"bootCause":%q,"abruptEnds":%d,`, c.cause, c.ends))
		}
		r.nx("status").want(t, 0, "tries-exhausted")
		r.nx("status").want(t, 0, "watchdog  ")
	})
}

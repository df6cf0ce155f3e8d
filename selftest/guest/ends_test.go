package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nexus/daemons/initd/machine"
	"nexus/selftest/image"
	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// saboteurPort is where the saboteur takes its orders.
const saboteurPort = "org.nexus.saboteur"

// sabotaged is the machine with the demo's image, of which the first process is the saboteur until it becomes init.
func sabotaged(t *testing.T, m qemu.Machine) qemu.Machine {
	t.Helper()
	program := filepath.Join(t.TempDir(), "saboteur")
	build(t, m.Arch, program, "nexus/selftest/faultinit")
	m = withInit(t, m, program)
	m.Ports = []string{saboteurPort}
	return m
}

// build builds a program for a guest, with these flags of the linker besides.
func build(t *testing.T, arch, program, source string, flags ...string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w "+strings.Join(flags, " "), "-o", program, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build %s: %v\n%s", source, err, out)
	}
}

// withInit is the machine with the demo's image, of which the first process is another program.
func withInit(t *testing.T, m qemu.Machine, program string) qemu.Machine {
	t.Helper()
	spec, err := top().place(m.Arch).spec(m.Kernel)
	kit.Must(t, err)
	spec.Init, spec.Sets = program, nil
	m.Image = filepath.Join(t.TempDir(), "initramfs")
	if _, err := image.WriteFile(m.Image, spec); err != nil {
		t.Fatal(err)
	}
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
	r.await(machine.LineFirst, count(r.console(), machine.LineFirst)+1)
}

// Each boot knows why it began: by what the record says, or by what the machine shows. A core that hangs is ended by
// the watchdog, and the machine comes back to the set before by itself.
func TestWhyABootBegan(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		hangs := withCore(t, m.Arch, "2.0.0", filepath.Join("../../out/guest", m.Arch, "demo/work/1.1.0/ticker"))
		m = sabotaged(t, m)
		m.Disk.File = filepath.Join(t.TempDir(), "disk")
		m.Reboots = true
		m.Args = append(m.Args, "--watchdog", "40s", "--tries", "1")
		kit.Must(t, qemu.MakeDisk(m.Disk.File, testDisk))
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

// mute is a first process that waits for nothing.
const mute = `package main

import (
	"os"
	"os/signal"
)

func main() {
	never := make(chan os.Signal)
	signal.Notify(never)
	for {
		<-never
	}
}
`

// A kernel that does not get to its first process is given another start, by the machine's reset button, and the
// console says so. Here it is a first process that says nothing.
func TestKernelThatHangs(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		dir := t.TempDir()
		source, program := filepath.Join(dir, "mute.go"), filepath.Join(dir, "mute")
		kit.Must(t, os.WriteFile(source, []byte(mute), 0o600))
		build(t, m.Arch, program, source)
		m = withInit(t, m, program)
		m.Wake = 3 * time.Second
		r := up(t, m)
		for end, look := time.After(patience), time.NewTicker(50*time.Millisecond); count(r.Resets(),
			"host-qmp-system-reset") < 2; {
			select {
			case <-look.C:
			case <-end:
				t.Fatalf("not reset twice within %v: %q", patience, r.Resets())
			}
		}
		r.Kill()
		r.await(qemu.LineWake, 2)
	})
}

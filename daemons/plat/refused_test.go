package plat_test

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"nexus/daemons/plat"
)

// TestProgramRefused starts what cannot be started, and wants it known whose fault that is.
func TestProgramRefused(t *testing.T) {
	on(t, plat.MeasureCalls)
	static := func(text string) *os.File {
		f, err := plat.SealedMemory("payload", strings.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	good := plat.PayloadConfinement(plat.FirstPayloadUser, false)
	lost := good
	lost.Paths = []plat.PathRule{{Path: "/does/not/exist", Access: plat.Read}}
	for name, c := range map[string]struct {
		program     *os.File
		confinement plat.Confinement
		its         bool
	}{
		"no program":                     {static("text"), good, true},
		"an ELF header and nothing":      {static(elf.ELFMAG), good, true},
		"its interpreter is not there":   {static(withInterpreter("/does/not/exist")), good, true},
		"a measure that cannot be taken": {static("text"), lost, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plat.NewSpawner().Spawn(plat.Command{
				Path: plat.ByDescriptor(c.program), File: c.program, Argv: []string{"payload"}, Dir: "/",
				Confinement: &c.confinement,
			})
			if err == nil || plat.ProgramRefused(err) != c.its {
				t.Errorf("got %v, which is the program's fault: %t, want %t", err, plat.ProgramRefused(err), c.its)
			}
		})
	}
}

// withInterpreter is an ELF program for this machine of one segment, which names what it wants to be loaded by.
func withInterpreter(path string) string {
	const header, segment = 64, 56
	b := make([]byte, header+segment)
	copy(b, elf.ELFMAG)
	b[elf.EI_CLASS], b[elf.EI_DATA], b[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	order := binary.LittleEndian
	order.PutUint16(b[16:], uint16(elf.ET_DYN))
	order.PutUint16(b[18:], uint16(plat.Machine()))
	order.PutUint32(b[20:], 1)
	order.PutUint64(b[32:], header)
	order.PutUint16(b[52:], header)
	order.PutUint16(b[54:], segment)
	order.PutUint16(b[56:], 1)
	order.PutUint32(b[header:], uint32(elf.PT_INTERP))
	order.PutUint64(b[header+8:], header+segment)
	order.PutUint64(b[header+32:], uint64(len(path)+1))
	return string(b) + path + "\x00"
}

// hindrances prints what hinders this process, and makes what is never executed.
func hindrances() {
	if f, err := plat.Memory("record"); err != nil {
		fmt.Println(err)
	} else {
		f.Close()
	}
	for _, h := range plat.Hindrances(plat.NewSpawner()) {
		fmt.Println(h.What + map[bool]string{true: ": lasts"}[h.Lasts])
	}
}

// TestHindrances starts the test's own program under limits.
func TestHindrances(t *testing.T) {
	own, err := filepath.EvalSymlinks("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[string][]string{
		"true":                     {},
		"ulimit -n 1024":           {},
		"ulimit -n 255":            {"the limit of open files is 255 (ulimit -n)"},
		"ulimit -n 40":             {"the limit of open files is 40 (ulimit -n): lasts"},
		"ulimit -f 1024":           {"the limit of file size in bytes is "},
		"ulimit -f 0":              {"the limit of file size in bytes is 0 (ulimit -f): lasts"},
		"ulimit -t 3600":           {"the limit of processor time in seconds is 3600 (ulimit -t)"},
		"ulimit -s 512":            {"the limit of stack size in bytes is 524288 (ulimit -s)"},
		"ulimit -d 262144":         {"the limit of data size in bytes is 268435456 (ulimit -d)"},
		"ulimit -n 200 -f 2048":    {"the limit of open files is 200 (ulimit -n)", "the limit of file size in bytes is 2"},
		"ulimit -v $((256 << 20))": {"the limit of address space in bytes is 274877906944 (ulimit -v)"},
	} {
		t.Run(limit, func(t *testing.T) {
			if testing.Short() && (strings.Contains(limit, "-d") || strings.Contains(limit, "-v")) {
				t.Skip("the race detector, under which the short tests run, needs more memory than that")
			}
			cmd := exec.Command("sh", "-c", limit+` && exec -a hindrances "$0"`, own)
			if _, err := exec.LookPath("bash"); err == nil {
				cmd.Path, cmd.Args[0] = "/bin/bash", "bash"
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			lines := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
			for i, line := range lines {
				if i >= len(want) || !strings.HasPrefix(line, want[i]) {
					t.Fatalf("got %q, want %q", lines, want)
				}
			}
			if len(lines) != len(want) {
				t.Errorf("got %q, want %q", lines, want)
			}
		})
	}
}

// A hardened kernel may let no file in memory be executed, or only those that are made for it. The setting is one of a
// PID namespace.
func TestExecutableMemory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a setting of the kernel needs root")
	}
	own, err := filepath.EvalSymlinks("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	const set = `echo $1 >/proc/sys/vm/memfd_noexec || exit 77; exec -a hindrances "$0"`
	for value, want := range map[string]string{
		"0": "",
		"1": "",
		"2": "no file in memory may be executed (vm.memfd_noexec is 2): lasts\n",
	} {
		t.Run(value, func(t *testing.T) {
			out, err := exec.Command("unshare", "-pf", "--mount-proc", "bash", "-c", set, own, value).CombinedOutput()
			var exit *exec.ExitError
			if errors.Is(err, exec.ErrNotFound) || errors.As(err, &exit) && exit.ExitCode() == 77 {
				t.Skipf("this machine has no such setting, or no unshare(1): %v: %s", err, out)
			}
			if err != nil || string(out) != want {
				t.Errorf("got %q, %v, want %q", out, err, want)
			}
		})
	}
}

// deadStage is a file in a working directory where the stage dies as soon as it has read as many bytes of its order as
// the file says.
const deadStage = "dead-stage"

// dieAsStage is what such a stage does.
func dieAsStage() {
	if len(os.Args) != 2 || os.Args[0] != "nexus-confine" {
		return
	}
	reads, err := os.ReadFile(deadStage)
	if err != nil {
		return
	}
	number, _ := strconv.Atoi(os.Args[1])
	bytes, _ := strconv.Atoi(string(reads))
	io.ReadFull(os.NewFile(uintptr(number), "starter"), make([]byte, bytes))
	os.Exit(2)
}

// TestDeadStage has the stage die before it executes the program: nothing of the program has run, and it is not to
// blame.
func TestDeadStage(t *testing.T) {
	on(t, plat.MeasureCalls)
	for _, reads := range []string{"0", "1", "500"} {
		t.Run(reads+" bytes read", func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, deadStage), []byte(reads), 0o600); err != nil {
				t.Fatal(err)
			}
			f := ownProgram(t)
			c := plat.PayloadConfinement(plat.FirstPayloadUser, plat.Dynamic(f))
			_, err := plat.NewSpawner().Spawn(plat.Command{
				Path: plat.ByDescriptor(f), File: f, Argv: []string{"env"}, Dir: dir, Confinement: &c,
			})
			if err == nil || !strings.Contains(err.Error(), "has ended before") || plat.ProgramRefused(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

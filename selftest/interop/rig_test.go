package interop

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"nexus/selftest/console"
	"nexus/selftest/demo"
)

// patience bounds each wait for a process.
const patience = 5 * time.Minute

// schemas is the folder of our schemas.
const schemas = "../../schema"

// need skips a test on a machine without the reference implementation, and says how to install it. In CI it fails
// instead. A probe is a command that succeeds if the thing is installed, because a library has no program to look for.
func need(t *testing.T, probes ...string) {
	t.Helper()
	for _, probe := range probes {
		command := strings.Fields(probe)
		if err := exec.Command(command[0], command[1:]...).Run(); err == nil {
			continue
		} else if os.Getenv("CI") != "" {
			t.Fatalf("`%s`: %v; install the packages capnproto, libcapnp-dev, pkg-config and g++", probe, err)
		} else {
			t.Skipf("`%s`: %v: needs the packages capnproto, libcapnp-dev, pkg-config and g++", probe, err)
		}
	}
}

// run runs a program and returns its standard output.
func run(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v\n%s", filepath.Base(name), args, err, &errs)
	}
	return out.Bytes()
}

// annotations returns the folder with go.capnp, which our schemas import.
func annotations(t *testing.T) string {
	t.Helper()
	module := strings.TrimSpace(string(run(t, nil, "go", "list", "-m", "-f", "{{.Dir}}", "capnproto.org/go/capnp/v3")))
	return filepath.Join(module, "std")
}

// A system runs on this host.
type system struct {
	t    *testing.T
	dir  string
	demo string // folder of its sets
	bin  string
}

// boot builds everything and starts a system from the demo's first set.
func boot(t *testing.T) system {
	t.Helper()
	root, err := os.MkdirTemp("", "interop-") // short, for the limit on socket paths
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	s := system{t: t, dir: filepath.Join(root, "sys"), demo: filepath.Join(root, "demo"),
		bin: filepath.Join(root, "bin")}
	if err := demo.Build(s.bin); err != nil {
		t.Fatal(err)
	}
	if err := demo.Make(s.bin, s.demo, runtime.GOARCH, io.Discard); err != nil {
		t.Fatal(err)
	}
	process, err := console.Start(filepath.Join(s.bin, "nx"), []string{
		"--dir", s.dir, "up", "--trust", filepath.Join(s.demo, "keys", "demo.pub"), "--factory",
		filepath.Join(s.demo, "system-v1.0.0.nxs"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(patience, process.Kill)
	t.Cleanup(func() {
		process.Stop()
		if err := process.Wait(); err != nil {
			t.Errorf("the system ended badly: %v", err)
		}
		kill.Stop()
	})
	shown := process.Console()
	var seen []byte
	for buf := make([]byte, 1<<10); !bytes.Contains(seen, []byte("init: health ok")); {
		n, err := shown.Read(buf)
		if err != nil {
			t.Fatal(fmt.Errorf("the system ended: %w\n%s", err, seen))
		}
		seen = append(seen, buf[:n]...)
	}
	go io.Copy(io.Discard, shown)
	return s
}

func (s system) set(name string) string { return filepath.Join(s.demo, name) }

// nx runs the operator's own program and returns its output.
func (s system) nx(args ...string) string {
	s.t.Helper()
	return string(run(s.t, nil, filepath.Join(s.bin, "nx"), append([]string{"--dir", s.dir}, args...)...))
}

package interop

import (
	"bytes"
	"errors"
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
	"nexus/selftest/kit"
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
	kit.Must(t, err)
	t.Cleanup(func() { os.RemoveAll(root) })
	s := system{t: t, dir: filepath.Join(root, "sys"), demo: filepath.Join(root, "demo"),
		bin: filepath.Join(root, "bin")}
	kit.Must(t, demo.Build(s.bin))
	kit.Must(t, demo.Make(s.bin, s.demo, runtime.GOARCH, io.Discard))
	h := &kit.Host{NX: kit.NX{Bin: s.bin, Dir: s.dir}}
	t.Cleanup(h.Kill)
	kit.Must(t, h.Up("--trust", filepath.Join(s.demo, "keys", "demo.pub"), "--factory",
		filepath.Join(s.demo, "system-v1.0.0.nxs")))
	kit.Must(t, h.Await(patience, "a healthy system", func(lines []string) (bool, error) {
		return console.Count(lines, "init: health ok") > 0, nil
	}))
	t.Cleanup(func() {
		_, err := h.Run("shutdown")
		if err = errors.Join(err, h.Gone()); err != nil || h.Exit() != 0 {
			t.Errorf("the system ended badly: %v, status %d", err, h.Exit())
		}
	})
	return s
}

func (s system) set(name string) string { return filepath.Join(s.demo, name) }

// nx runs the operator's own program and returns its output.
func (s system) nx(args ...string) string {
	s.t.Helper()
	return string(run(s.t, nil, filepath.Join(s.bin, "nx"), append([]string{"--dir", s.dir}, args...)...))
}

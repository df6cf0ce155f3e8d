package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A trial runs tests with or without a fault in the code.
type trial struct {
	module  string        // the module's folder
	timeout time.Duration // of one test binary
}

// A finding is what the tests said.
type finding struct {
	red     bool
	by      string // the first test that failed, or what else did
	unbuilt bool   // a package did not compile: the tests said nothing
	output  string // of the go command, for people
}

// run runs a suite. An overlay replaces files for the compiler; none is a run of the code as it is.
func (t trial) run(ctx context.Context, s suite, overlay string) (finding, error) {
	args := []string{"test", "-json", "-short", "-vet=off", "-timeout", t.timeout.String()}
	if s.run != "" {
		args = append(args, "-run", s.run)
	}
	// as make has it: the daemons are static, and confined as static programs
	env := append(os.Environ(), "CGO_ENABLED=0")
	if overlay != "" {
		args = append(args, "-failfast", "-count=1")
		// in the environment, so that the programs which a test builds have the fault as well
		env = append(env, fmt.Sprintf("GOFLAGS=%s '-overlay=%s'", os.Getenv("GOFLAGS"), overlay))
	}
	cmd := exec.CommandContext(ctx, "go", append(args, strings.Fields(s.packages)...)...)
	cmd.Dir, cmd.Env = t.module, env
	cmd.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return finding{}, ctx.Err()
	}
	f := read(out)
	f.output += stderr.String()
	if err != nil && !f.red && !f.unbuilt {
		return f, fmt.Errorf("cannot run go test: %w\n%s", err, f.output)
	}
	return f, nil
}

// An event is a line of `go test -json`.
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	FailedBuild string
}

// read reads the events of a run.
func read(out []byte) finding {
	var f finding
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var e event
		if dec.Decode(&e) != nil {
			return f
		}
		switch {
		case e.Action == "output", e.Action == "build-output":
			f.output += e.Output
			if e.Test == "" && strings.HasPrefix(e.Output, "panic: test timed out") {
				f.by = "its time limit"
			}
		case e.Action == "build-fail", e.FailedBuild != "":
			f.unbuilt = true
		case e.Action == "fail":
			f.red = true
			if f.by == "" || !strings.Contains(f.by, ".") {
				f.by = name(e, f.by)
			}
		}
	}
}

// name names what failed: the innermost test is reported first.
func name(e event, known string) string {
	if e.Test != "" {
		return strings.TrimPrefix(e.Package, "nexus/") + "." + e.Test
	}
	if known != "" {
		return known
	}
	return strings.TrimPrefix(e.Package, "nexus/") + " as a whole"
}

// mutate runs the tests of a mutant with its fault in place. It writes into dir the faulty file, and the go command's
// table that puts it in the place of the true one (`go help build`).
func (t trial) mutate(ctx context.Context, m mutant, dir string) (finding, error) {
	faulty, err := m.apply(t.module)
	if err != nil {
		return finding{}, err
	}
	copied, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	table, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(t.module, faulty.file): copied}})
	if err != nil {
		return finding{}, err
	}
	if err := errors.Join(os.WriteFile(copied, faulty.content, 0o600),
		os.WriteFile(overlay, table, 0o600)); err != nil {
		return finding{}, err
	}
	return t.run(ctx, m.tests, overlay)
}

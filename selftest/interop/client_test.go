package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"nexus/selftest/kit"
)

// build compiles the schemas and the client with the reference implementation and returns the program.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	std := annotations(t)
	sources, err := filepath.Glob(filepath.Join(schemas, "*.capnp"))
	kit.Must(t, err)
	sources = append(sources, filepath.Join(std, "go.capnp"))
	args := []string{"compile", "--no-standard-import", "-I", std, "--src-prefix=" + schemas, "--src-prefix=" +
		std, "-oc++:" + dir}
	run(t, nil, "capnp", append(args, sources...)...)

	generated, err := filepath.Glob(filepath.Join(dir, "*.c++"))
	kit.Must(t, err)
	client := filepath.Join(dir, "client")
	flags := strings.Fields(string(run(t, nil, "pkg-config", "--cflags", "--libs", "capnp-rpc")))
	compile := append([]string{"-std=c++17", "-Wall", "-Werror", "-I", dir, "-o", client, "client.c++"}, generated...)
	run(t, nil, "g++", append(compile, flags...)...)
	return client
}

var progressLine = regexp.MustCompile(`^progress (receiving|publishing|reused) (\d+) (\d+)$`)

// TestClientInCXX has a client of another implementation stage a set and receive callbacks during the stage. It must
// see the same as our own client.
func TestClientInCXX(t *testing.T) {
	need(t, "capnp --version", "capnpc-c++ --version", "g++ --version", "pkg-config --exists capnp-rpc")
	client := build(t)
	s := boot(t)
	socket := filepath.Join(s.dir, "control.sock")

	lines := strings.Split(strings.TrimSpace(string(run(t, nil, client, socket, s.set("system-v1.1.0.nxs")))), "\n")
	calls := 0
	for ; calls < len(lines) && progressLine.MatchString(lines[calls]); calls++ {
	}
	info, err := os.Stat(s.set("system-v1.1.0.nxs"))
	kit.Must(t, err)
	if whole := fmt.Sprintf("progress publishing %d %[1]d", info.Size()); calls == 0 || lines[calls-1] != whole {
		t.Errorf("%d calls of the callback; want the last to be %q in\n%s", calls, whole, strings.Join(lines, "\n"))
	}
	var status struct {
		StagedSlot string
		Slots      map[string]struct{ SystemVersion, IndexSha256 string }
	}
	kit.Must(t, json.Unmarshal([]byte(s.nx("status", "--json")), &status))
	want := []string{
		"staged b 1.1.0 " + status.Slots["staged"].IndexSha256,
		"bundle hello 1.1.0",
		"bundle ticker 1.1.0",
		"active a, staged " + status.StagedSlot,
	}
	if got := lines[calls:]; strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	// Refusals must be readable in any language.
	for set, reason := range map[string]string{"bad-digest.nxs": "digest-mismatch",
		"bad-signature.nxs": "invalid-signature"} {
		out := strings.TrimSpace(string(run(t, nil, client, socket, s.set(set))))
		last := out[strings.LastIndexByte(out, '\n')+1:]
		if !strings.HasPrefix(last, "refused "+reason+": ") {
			t.Errorf("%s: got %q, want it refused as %s", set, last, reason)
		}
	}
}

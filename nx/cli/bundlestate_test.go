package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/nx/cli"
)

// What bundles keep is listed, saved and replaced; a refusal comes with its reason, and names are harmless.
func TestBundleState(t *testing.T) {
	p := startPeer(t)
	file := func(text string) string {
		t.Helper()
		name := filepath.Join(t.TempDir(), "archive")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	p.nx("state").want(t, 0, "BUNDLE  SIZE     QUOTA              KEPT\n"+
		"web\ufffd    3.0 MiB  64 MiB (not held)  1\n", "")
	p.nx("state", "export", "web").want(t, 0, "archive", "")
	if got := p.nx("state", "export", "other"); got.status != 1 || got.stdout != "" ||
		!strings.HasPrefix(got.stderr, "nx: cannot export state of other: it keeps no state\n") {
		t.Errorf("a bundle without state: %+v", got)
	}
	p.nx("state", "import", "web", p.dir).want(t, 1, "", "nx: cannot import state of web: is a directory\n")
	p.nx("state", "import", "web", file("archive")).want(t, 0,
		"the state of web is replaced: it counts from the next start of its program on\n", "")
	p.nx("state", "import", "--json", "web", file("none")).want(t, 1,
		`{"error":"cannot import state of web: it is not a tar archive","reason":"bad-archive"}`+"\n",
		"nx: cannot import state of web: it is not a tar archive\n")
	if got := p.nx("state", "import", "web", file("")+".missing"); got.status != 1 {
		t.Errorf("a file that is missing: %+v", got)
	}
}

// What a bundle consists of, and what it keeps, could drive a terminal.
func TestNoBytesToATerminal(t *testing.T) {
	p := startPeer(t)
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal here: %v", err)
	}
	defer screen.Close()
	for _, verb := range []string{"state export", "cat"} {
		args := append([]string{"--dir", p.dir}, strings.Fields(verb+" web")...)
		runOn(t.Context(), cli.Host{Stdout: screen}, args...).want(t, 2, "",
			"nx: "+verb+" writes no bytes of a bundle to a terminal: redirect it to a file\n"+
				"hint: `nx --help` shows the verbs, `nx VERB --help` one of them\n")
	}
}

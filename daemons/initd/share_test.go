package initd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/daemons/initd/machine"

	"nexus/daemons/plat"
)

func TestParseShare(t *testing.T) {
	got, err := parseShare("status=/run/a=b.sock")
	if want := (Share{"status", "/run/a=b.sock"}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, text := range []string{"", "status", "status=", "=/run/a.sock", "root=/run/a.sock", "Status=/run/a.sock",
		"apps:=/run/a.sock", "apps:Web=/run/a.sock", "apps:../x=/run/a.sock", "apps:web@1=/run/a.sock",
		"status:web=/run/a.sock"} {
		if _, err := parseShare(text); err == nil ||
			!strings.HasSuffix(err.Error(), "is not ROLE=PATH with a role of status, stage, apps, operator") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestShareTakesOnlyWhatIsLeft opens a shared socket where something is: what a killed system left gives way, nothing
// else is touched.
func TestShareTakesOnlyWhatIsLeft(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) Share { return Share{"status", filepath.Join(dir, name)} }

	fresh, err := at("fresh").open()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(fresh.path)
	if err != nil || info.Mode() != os.ModeSocket|0o660 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if _, err := at("fresh").open(); err == nil ||
		!strings.HasSuffix(err.Error(), "fresh: somebody serves it already") {
		t.Errorf("one that is served: %v", err)
	}
	fresh.close() // as kill -9 does: the file stays
	again, err := at("fresh").open()
	if err != nil {
		t.Fatalf("one that was left: %v", err)
	}
	again.remove()
	if _, err := os.Lstat(again.path); !os.IsNotExist(err) {
		t.Errorf("it is there after its end: %v", err)
	}

	kinds := map[string]string{"file": "a file", "dir": "a folder", "link": "a link"}
	for name, make := range map[string]func(string) error{
		"file": func(path string) error { return os.WriteFile(path, []byte("precious"), 0o600) },
		"dir":  func(path string) error { return os.Mkdir(path, 0o700) },
		"link": func(path string) error { return os.Symlink("file", path) },
	} {
		s := at(name)
		if err := make(s.Path); err != nil {
			t.Fatal(err)
		}
		if _, err := s.open(); err == nil || !strings.HasSuffix(err.Error(),
			name+": "+kinds[name]+" is there: move it away") {
			t.Errorf("a %s: %v", name, err)
		}
		if _, err := os.Lstat(s.Path); err != nil {
			t.Errorf("a %s is gone: %v", name, err)
		}
	}
}

// TestSocketsOpenTogether has one of two that cannot be opened: the other is not left open.
func TestSocketsOpenTogether(t *testing.T) {
	dir := t.TempDir()
	f := &folder{tree: tree{path: dir}}
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	defer f.close()
	shares := []Share{{"status", filepath.Join(dir, "status.sock")},
		{"stage", filepath.Join(dir, "missing", "stage.sock")}}
	if _, err := openSockets(f, shares, &machine.Handed{}); err == nil {
		t.Fatal("opened in a folder that is not there")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	sockets, err := openSockets(f, shares[:1], &machine.Handed{})
	if err != nil {
		t.Fatal(err)
	}
	defer removeSockets(sockets)
	for _, c := range sockets {
		conn, err := plat.DialPath(c.path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
}

// TestClosingTwiceLeavesASuccessor closes a shared socket when another system has already taken its place.
func TestClosingTwiceLeavesASuccessor(t *testing.T) {
	s := Share{"status", filepath.Join(t.TempDir(), "status.sock")}
	first, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	first.remove()
	second, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer second.remove()
	first.remove()
	conn, err := plat.DialPath(s.Path)
	if err != nil {
		t.Fatalf("the successor lost its socket: %v", err)
	}
	conn.Close()
}

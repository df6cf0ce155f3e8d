package plat_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nexus/daemons/plat"
)

const (
	daemon   = plat.FirstDaemonUser + 5
	stranger = 4711
)

// given lays out a folder, gives it to a daemon and returns what was noted, sorted.
func given(t *testing.T, path string, c plat.Claim) []string {
	t.Helper()
	notes, err := plat.Give(opened(t, path), c)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, n := range notes {
		lines = append(lines, fmt.Sprintf("%s %s %v", n.Name, n.What, n.Mended))
	}
	slices.Sort(lines)
	return lines
}

// whose is the owner and the mode of what has a name.
func whose(t *testing.T, path string) string {
	t.Helper()
	var info syscall.Stat_t
	if err := syscall.Lstat(path, &info); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %03o", info.Uid, info.Mode&0o777)
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Everything goes to the daemon, whoever had it and however closed it was, and what was wrong is noted. Nothing is done
// twice.
func TestGive(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving files to other users needs root")
	}
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/sets/one", 0o755), os.WriteFile(dir+"/sets/one/index", nil, 0o644),
		os.WriteFile(dir+"/closed", nil, 0),
		os.Link(dir+"/sets/one/index", dir+"/again"), os.WriteFile(dir+"/strange", nil, 0o600),
		os.Lchown(dir+"/strange", stranger, stranger),
		os.Symlink("sets/one", dir+"/a"), syscall.Mkfifo(dir+"/FIFO", 0o600), os.Chmod(dir+"/sets/one", 0))
	claim := plat.Claim{User: daemon, Shared: true}
	want := []string{"closed had mode 000 true", "sets/one had mode 000 true", "strange belonged to user 4711 true"}
	if got := given(t, dir, claim); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for name, mode := range map[string]string{
		"": "755", "/sets": "755", "/sets/one": "755", "/sets/one/index": "644", "/again": "644", "/closed": "444",
		"/strange": "644", "/a": "777", "/FIFO": "600",
	} {
		if got, want := whose(t, dir+name), fmt.Sprintf("%d %s", daemon, mode); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if got := given(t, dir, claim); len(got) > 0 {
		t.Errorf("the second time: %q", got)
	}
}

// Whatever leads out of the folder: nothing outside has another owner or mode afterwards.
func TestGiveStaysInside(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving files to other users needs root")
	}
	for _, claim := range []plat.Claim{{User: daemon}, {Shared: true}, {User: daemon, Shared: true}} {
		top := t.TempDir()
		dir, outside := top+"/dir", top+"/outside"
		must(t, os.MkdirAll(dir+"/sub", 0o700), os.MkdirAll(outside+"/sub", 0o700),
			os.WriteFile(outside+"/file", nil, 0o600),
			os.Symlink(outside, dir+"/folder"), os.Symlink("../outside/file", dir+"/file"),
			os.Symlink(outside, dir+"/sub/folder"),
			os.Link(outside+"/file", dir+"/name"), os.Symlink("/", dir+"/root"))
		notes := given(t, dir, claim)
		if !slices.Contains(notes, "name has a name elsewhere, and stays as it is false") {
			t.Errorf("got %q", notes)
		}
		for _, name := range []string{outside, outside + "/sub", outside + "/file"} {
			want := "0 700"
			if strings.HasSuffix(name, "file") {
				want = "0 600"
			}
			if got := whose(t, name); got != want {
				t.Errorf("%+v: %s is %s, was %s", claim, name, got, want)
			}
		}
		if link, err := os.Open(dir + "/folder"); err != nil {
			t.Error(err)
		} else {
			link.Close()
		}
	}
}

// An ordinary user opens what is his own, and is told what is not.
func TestGiveAsOneself(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/closed/below", 0o700), os.WriteFile(dir+"/closed/file", nil, 0),
		os.Chmod(dir+"/closed", 0))
	want := []string{"closed had mode 000 true", "closed/file had mode 000 true"}
	if got := given(t, dir, plat.Claim{}); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := os.ReadFile(dir + "/closed/file"); err != nil {
		t.Error(err)
	}
}

// Not even a folder without end is walked to its end.
func TestGiveLooksOnlySoDeep(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(append([]string{dir}, slices.Repeat([]string{"x"}, 40)...)...)
	must(t, os.MkdirAll(deep, 0o700))
	if got := given(t, dir, plat.Claim{}); len(got) != 1 || !strings.Contains(got[0], "too deep") {
		t.Errorf("got %q", got)
	}
}

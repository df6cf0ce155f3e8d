package durabletest_test

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
)

// shown returns what the disk may show after a cut, each state once, as text.
func shown(d *durabletest.Disk, limit int) []string {
	set := map[string]bool{}
	for _, state := range d.States(limit, 1) {
		set[strings.Join(state.Snapshot(), " ")] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// TestStatesOfAFile: a file that grew by four bytes since its Sync.
func TestStatesOfAFile(t *testing.T) {
	d := durabletest.New()
	f, err := d.Create("f", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	write := func(data string) error { _, err := io.WriteString(f, data); return err }
	if err := errors.Join(write("ab"), f.Sync(), d.SyncDir("."), write("1234")); err != nil {
		t.Fatal(err)
	}
	want := []string{`./ f "ab"`, `./ f "ab12"`, `./ f "ab1234"`, `./ f "ab\x00\x0034"`, `./ f "ab\x00\x00\x00\x00"`}
	if got := shown(d, 100); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestStatesOfADirectory: a link that was made next to a name and then renamed over it.
func TestStatesOfADirectory(t *testing.T) {
	d := durabletest.New()
	if err := errors.Join(d.Symlink("old", "a"), d.SyncDir("."), d.Symlink("new", "a.tmp"),
		d.Rename("a.tmp", "a")); err != nil {
		t.Fatal(err)
	}
	want := []string{`./ a -> new`, `./ a -> old`, `./ a -> old a.tmp -> new`}
	if got := shown(d, 100); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestStatesKeepTheirLimit: far more states than the limit. The extremes are among those shown.
func TestStatesKeepTheirLimit(t *testing.T) {
	d := durabletest.New()
	for _, name := range strings.Split("abcdefgh", "") {
		if err := errors.Join(d.Mkdir(name), d.Mkdir(name+"/x")); err != nil {
			t.Fatal(err)
		}
	}
	count := 0
	for range d.States(50, 1) {
		count++
	}
	all := shown(d, 50)
	if nothing, everything := "./", strings.Join(d.Snapshot(), " "); count != 50 || !slices.Contains(all, nothing) ||
		!slices.Contains(all, everything) {
		t.Errorf("%d states, nothing or everything is missing", count)
	}
}

// TestCellFile: a write in place that is not durable yet.
func TestCellFile(t *testing.T) {
	d := durabletest.New()
	f, err := d.CellFile("record")
	if err != nil {
		t.Fatal(err)
	}
	write := func(data string, at int64) error { _, err := f.WriteAt([]byte(data), at); return err }
	if err := errors.Join(write("abcdef", 0), f.Sync(), write("12", 2)); err != nil {
		t.Fatal(err)
	}
	want := []string{`./ record "ab12ef"`, `./ record "ab1def"`, `./ record "abc2ef"`, `./ record "abcdef"`}
	if got := shown(d.Fork(), 100); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := d.Changes(), []int{1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("got changes %v, want %v", got, want)
	}
	d.Forget("record")
	if got := shown(d, 100); !slices.Equal(got, []string{"./"}) {
		t.Errorf("a forgotten file: got %q", got)
	}
}

// TestFullDisk: every change from the second on fails until the failure is healed.
func TestFullDisk(t *testing.T) {
	d := durabletest.New()
	d.FailFrom(2, syscall.ENOSPC)
	if err := d.Mkdir("a"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Mkdir("b"); refusal.Of(err) != refusal.NoSpace {
			t.Errorf("got %v, want %s", err, refusal.NoSpace)
		}
	}
	if _, err := d.ReadDir("."); err != nil {
		t.Errorf("reading a full disk: %v", err)
	}
	if err := d.Remove("a"); err != nil {
		t.Errorf("removing from a full disk: %v", err)
	}
	d.Heal()
	if err := d.Mkdir("b"); err != nil {
		t.Error(err)
	}
}

func TestSumTellsDisksApart(t *testing.T) {
	d := durabletest.New()
	empty := d.Sum()
	if err := d.Mkdir("a"); err != nil {
		t.Fatal(err)
	}
	if d.Sum() == empty || d.Fork().Sum() != d.Sum() {
		t.Error("a directory more is the same disk, or a fork is another")
	}
}

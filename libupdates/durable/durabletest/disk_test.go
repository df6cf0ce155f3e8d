package durabletest_test

import (
	"errors"
	"io"
	"slices"
	"syscall"
	"testing"

	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
)

// after writes a file whose first bytes and name are durable and whose last bytes and new name are not, and returns
// what the disk shows after a cut.
func after(t *testing.T, name string) []string {
	t.Helper()
	d := durabletest.New()
	f, err := d.Create("old", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	write := func(data string) error { _, err := io.WriteString(f, data); return err }
	if err := errors.Join(write("sure"), f.Sync(), d.SyncDir("."), write("hope"), d.Rename("old", "new")); err != nil {
		t.Fatal(err)
	}
	outcomes := durabletest.Outcomes()
	i := slices.IndexFunc(outcomes, func(o durabletest.Outcome) bool { return o.Name == name })
	if i < 0 {
		t.Fatalf("there is no outcome %q", name)
	}
	shown := d.Reboot(outcomes[i]).Snapshot()
	if err := f.Sync(); !errors.Is(err, durabletest.ErrCut) {
		t.Errorf("a file that was open: got %v, want %v", err, durabletest.ErrCut)
	}
	return shown
}

func TestOutcomes(t *testing.T) {
	for name, want := range map[string]string{
		"only what was synced":    `old "sure"`,
		"all that was issued":     `new "surehope"`,
		"names ahead, bytes lost": `new "sure"`,
		"names ahead, bytes torn": `new "sureho"`,
		"bytes ahead of names":    `old "surehope"`,
		"root one change behind":  `old "surehope"`,
	} {
		if got := after(t, name); !slices.Equal(got, []string{"./", want}) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestFaults(t *testing.T) {
	d := durabletest.New()
	d.FailAt(2, syscall.ENOSPC)
	f, err := d.Create("file", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.WriteString(f, "1234")
	if n != 2 || refusal.Of(err) != refusal.NoSpace {
		t.Errorf("failing write: got %d bytes, %v", n, err)
	}
	if _, err := io.WriteString(f, "5"); err != nil {
		t.Errorf("a fault comes once: %v", err)
	}
	if got, want := d.Snapshot(), []string{"./", `file "125"`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := d.Ops(), []string{"create file", "write file", "write file"}; !slices.Equal(got, want) {
		t.Errorf("got operations %q, want %q", got, want)
	}
	d.CutAfter(1)
	if err := d.Mkdir("dir"); err != nil {
		t.Errorf("the operation before the cut: %v", err)
	}
	if err := d.SyncDir("."); !errors.Is(err, durabletest.ErrCut) {
		t.Errorf("the operation after the cut: got %v", err)
	}
	d.Resume()
	if err := d.Mkdir("dir"); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("after the power came back: got %v, want what was there before", err)
	}
}

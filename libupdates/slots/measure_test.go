package slots_test

import (
	"crypto/sha256"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

const (
	digested   = "alpha.app.nxb/payload.elf" // the payload whose fs-verity digest is in the index
	undigested = "beta.nxb/payload.elf"
)

// reads returns which of the two payloads an operation on the store reads.
func reads(t *testing.T, d *durabletest.Disk, do func() error) []string {
	t.Helper()
	before := len(d.Ops())
	must(t, do())
	var found []string
	for _, name := range []string{digested, undigested} {
		if slices.ContainsFunc(d.Ops()[before:], func(op string) bool {
			return strings.HasPrefix(op, "read ") && strings.HasSuffix(op, "/"+name)
		}) {
			found = append(found, name)
		}
	}
	return found
}

func measuring(s *slots.Store) error {
	_, err := s.Measure(bootctl.A, held(s, bootctl.A), verify)
	return err
}

func wantUnkept(t *testing.T, s *slots.Store, want string) {
	t.Helper()
	if content, err := s.Content(bootctl.A); err != nil || content.Unkept != want {
		t.Errorf("unkept is %q, %v; want %q", content.Unkept, err, want)
	}
}

// A boot attempt reads the payloads that the kernel does not verify, and no other. A check reads them all.
func TestWhatIsMeasuredIsNotRead(t *testing.T) {
	both := []string{digested, undigested}
	for _, c := range []struct {
		name   string
		empty  func() *durabletest.Disk
		reads  []string
		unkept string
	}{
		{"fs-verity", durabletest.NewWithVerity, both[1:], "the index has no fs-verity digest"},
		{"none", durabletest.New, both, "no fs-verity"},
	} {
		d := c.empty()
		s := open(t, d)
		mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
		for range 2 {
			if got := reads(t, d, func() error { return measuring(s) }); !slices.Equal(got, c.reads) {
				t.Errorf("%s: an attempt read %q, want %q", c.name, got, c.reads)
			}
		}
		got := reads(t, d, func() error { return s.Verify(bootctl.A, held(s, bootctl.A), verify) })
		if !slices.Equal(got, both) {
			t.Errorf("%s: a check read %q", c.name, got)
		}
		wantUnkept(t, s, c.unkept)
	}
}

// A set that was staged without fs-verity is read once where there is fs-verity, and measured from then on.
func TestASetThatMovesToFsVerity(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	d.GiveVerity()
	wantUnkept(t, s, "fs-verity is not enabled")
	for _, want := range [][]string{{digested, undigested}, {undigested}} {
		if got := reads(t, d, func() error { return measuring(s) }); !slices.Equal(got, want) {
			t.Errorf("an attempt read %q, want %q", got, want)
		}
		wantUnkept(t, s, "the index has no fs-verity digest")
	}
}

// put replaces the first payload in slot a.
func put(t *testing.T, d *durabletest.Disk, text string, enable bool) {
	t.Helper()
	putAt(t, d, path.Join("a", digested), text, enable)
}

func putAt(t *testing.T, d *durabletest.Disk, name, text string, enable bool) {
	t.Helper()
	must(t, d.Remove(name))
	f, err := d.Create(name, 0o755)
	must(t, err)
	_, err = f.Write([]byte(text))
	must(t, err)
	must(t, f.Close())
	if enable {
		must(t, d.EnableVerity(name))
	}
}

// Whoever changes the file of a payload gets it refused, whatever the kernel says of it: enabled or not, with the size
// that was signed or another one.
func TestAnotherFileIsRefused(t *testing.T) {
	signed := payload("1.0.0")
	other := strings.Repeat("x", len(signed))
	for _, c := range []struct {
		name   string
		do     func(*testing.T, *durabletest.Disk)
		reason refusal.Reason // of an attempt
	}{
		{"enabled with another content", func(t *testing.T, d *durabletest.Disk) { put(t, d, other, true) }, refusal.Damaged},
		{"plain, with another content", func(t *testing.T, d *durabletest.Disk) { put(t, d, other, false) },
			refusal.DigestMismatch},
		{"enabled and shorter", func(t *testing.T, d *durabletest.Disk) { put(t, d, "x", true) }, refusal.SizeMismatch},
		{"plain, with the signed content", func(t *testing.T, d *durabletest.Disk) { put(t, d, string(signed), false) }, ""},
		{"enabled with the signed content", func(t *testing.T, d *durabletest.Disk) { put(t, d, string(signed), true) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := durabletest.NewWithVerity()
			s := open(t, d)
			mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
			c.do(t, d)
			err := measuring(s)
			wantReason(t, err, c.reason)
			if _, damaged := slots.DamageOf(err); damaged != (c.reason != "") {
				t.Errorf("%v is damage: %t", err, damaged)
			}
			wantReason(t, s.Verify(bootctl.A, held(s, bootctl.A), verify), c.reason)
			mustStage(t, s, bootctl.B, archive(t, "1.0.0"))
			must(t, measuring(s))
			wantUnkept(t, s, "the index has no fs-verity digest")
		})
	}
}

// On a swappingDisk somebody changes a file right before or after the kernel begins to verify it.
type swappingDisk struct {
	*durabletest.Disk
	before, after func(name string)
}

func (d swappingDisk) EnableVerity(name string) error {
	if d.before != nil {
		d.before(name)
	}
	err := d.Disk.EnableVerity(name)
	if d.after != nil {
		d.after(name)
	}
	return err
}

// A set whose payload is exchanged while it is staged, after its bytes were checked, gets no name, and nothing of it is
// left. If the kernel verifies what came in its place as it was signed, it is the same.
func TestSwappedWhileItIsStaged(t *testing.T) {
	signed := string(payload("1.0.0"))
	other := strings.Repeat("x", len(signed))
	d := durabletest.NewWithVerity()
	exchange := func(text string, enable bool) func(string) {
		return func(name string) { putAt(t, d, name, text, enable) }
	}
	for _, c := range []struct {
		name   string
		disk   swappingDisk
		reason refusal.Reason
	}{
		{"overwritten", swappingDisk{before: func(name string) { must(t, d.Overwrite(name, []byte(other))) }},
			refusal.Damaged},
		{"another content", swappingDisk{before: exchange(other, false)}, refusal.Damaged},
		{"another content, verified already", swappingDisk{before: exchange(other, true)}, refusal.Damaged},
		{"another content, after", swappingDisk{after: exchange(other, false)}, refusal.Damaged},
		{"another content, verified, after", swappingDisk{after: exchange(other, true)}, refusal.Damaged},
		{"as signed, not verified, after", swappingDisk{after: exchange(signed, false)}, refusal.Damaged},
		{"as signed", swappingDisk{before: exchange(signed, false)}, ""},
		{"as signed, verified, after", swappingDisk{after: exchange(signed, true)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d = durabletest.NewWithVerity()
			c.disk.Disk = d
			s := open(t, c.disk)
			before := d.Snapshot()
			_, err := stage(s, bootctl.A, archive(t, "1.0.0"))
			wantReason(t, err, c.reason)
			if c.reason == "" {
				must(t, measuring(s))
				wantSlot(t, s, bootctl.A, "1.0.0")
			} else if diff := difference(d.Snapshot(), before); len(diff) > 0 {
				t.Errorf("the disk changed: %q", diff)
			}
		})
	}
}

// A block that has decayed under fs-verity is not met by an attempt. A check finds it, as damage, and staging the set
// again repairs it.
func TestDecayUnderFsVerity(t *testing.T) {
	d := durabletest.NewWithVerity()
	s := open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	damage(t, d, digested, flip)
	must(t, measuring(s))
	err := s.Verify(bootctl.A, held(s, bootctl.A), verify)
	wantReason(t, err, refusal.Damaged)
	if _, damaged := slots.DamageOf(err); !damaged {
		t.Errorf("%v is not damage", err)
	}
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	wantSlot(t, s, bootctl.A, "1.0.0")
	must(t, measuring(s))
}

// A file system that says that it has enabled fs-verity and has not gets no set. One that becomes such a file system
// has its sets read at each attempt.
func TestAFileSystemThatKeepsNothing(t *testing.T) {
	d := durabletest.NewWithFalseVerity()
	s := open(t, d)
	before := d.Snapshot()
	_, err := stage(s, bootctl.A, archive(t, "1.0.0"))
	wantReason(t, err, refusal.Damaged)
	if diff := difference(d.Snapshot(), before); len(diff) > 0 {
		t.Errorf("the disk changed: %q", diff)
	}

	d = durabletest.New()
	s = open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	d.GiveFalseVerity()
	for range 2 {
		if got := reads(t, d, func() error { return measuring(s) }); len(got) != 2 {
			t.Errorf("an attempt read %q alone", got)
		}
		wantUnkept(t, s, "fs-verity is not enabled")
	}
}

// On an unmeasuredDisk the kernel fails to say by which digest it verifies a file.
type unmeasuredDisk struct{ *durabletest.Disk }

func (d unmeasuredDisk) Open(name string) (durable.ReadFile, error) {
	f, err := d.Disk.Open(name)
	return unmeasured{f}, err
}

type unmeasured struct{ durable.ReadFile }

func (unmeasured) Verity() ([sha256.Size]byte, error) { return [sha256.Size]byte{}, syscall.EIO }

// If the kernel does not say by which digest it verifies a payload, an attempt fails, as when a payload cannot be read.
// It does not take the way of machines without fs-verity.
func TestAMeasurementThatFails(t *testing.T) {
	d := durabletest.NewWithVerity()
	mustStage(t, open(t, d), bootctl.A, archive(t, "1.0.0"))
	s := open(t, unmeasuredDisk{d})
	before := len(d.Ops())
	wantReason(t, measuring(s), refusal.IO)
	for _, op := range d.Ops()[before:] {
		if strings.HasPrefix(op, "read ") && strings.HasSuffix(op, "/"+digested) {
			t.Errorf("an attempt made up for it: %s", op)
		}
	}
}

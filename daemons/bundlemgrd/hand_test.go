package bundlemgrd_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"nexus/capnpgen/bundle"
	"nexus/daemons/blob"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// handed asks for the file of a payload, which comes with the digest of its bytes.
func handed(t *testing.T, holding *vat.Holding, name string) (*os.File, error) {
	t.Helper()
	client, err := holding.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Release()
	file, digest, err := blob.Hand(t.Context(), holding, bundle.BundleMgr(client), name)
	if file == nil {
		return nil, err
	}
	t.Cleanup(func() { file.Close() })
	got, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<20))
	if err != nil || digest != nxs.Sum(got) {
		t.Errorf("the file comes with another digest, %v", err)
	}
	return file, nil
}

// The file that is handed over is the payload of the slot: it can be read, but not written, also after its set is gone.
func TestHandPayload(t *testing.T) {
	v := start(t)
	old := service("1.0.0")
	v.mustPublish(bootctl.A, v.stage(bootctl.A, "1.0.0", old), 1)
	holding := v.daemon.Holding("BundleMgr", "execd")
	file, err := handed(t, holding, "hello.app")
	if err != nil || file == nil {
		t.Fatalf("got %v, %v", file, err)
	}
	v.mustPublish(bootctl.B, v.stage(bootctl.B, "1.1.0", service("1.1.0")), 2)
	v.stage(bootctl.A, "1.2.0", service("1.2.0"))
	got, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<20))
	if err != nil || !bytes.Equal(got, old.Payload) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if _, err := file.WriteAt([]byte("x"), 0); err == nil {
		t.Error("the file can be written")
	}
}

// Two who are handed the same payload share no state of an open file, such as its offset.
func TestHandedFilesAreApart(t *testing.T) {
	v := start(t)
	made := service("1.0.0")
	v.mustPublish(bootctl.A, v.stage(bootctl.A, "1.0.0", made), 1)
	one, _ := handed(t, v.daemon.Holding("BundleMgr", "execd"), "hello.app")
	other, _ := handed(t, v.daemon.Holding("BundleMgr", "bundle:other"), "hello.app")
	if one == nil || other == nil {
		t.Fatal("no file came")
	}
	if _, err := one.Seek(0, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(other); err != nil || !bytes.Equal(got, made.Payload) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

// A payload that is not there as it was published is refused for what has become of it: whoever was to run it then has
// the slot checked.
func TestWhatHasBecomeOfAPayload(t *testing.T) {
	for want, damage := range map[refusal.Reason]func(name string) error{
		refusal.MissingEntry: os.Remove,
		refusal.SizeMismatch: func(name string) error { return os.Truncate(name, 10) },
		refusal.BadEntryType: func(name string) error { return errors.Join(os.Remove(name), os.Mkdir(name, 0o700)) },
	} {
		v := start(t)
		digest := v.stage(bootctl.A, "1.0.0", service("1.0.0"))
		v.mustPublish(bootctl.A, digest, 1)
		if err := damage(filepath.Join(v.dir, "sets", digest.String(), "hello.app.nxb", "payload.elf")); err != nil {
			t.Fatal(err)
		}
		file, err := handed(t, v.daemon.Holding("BundleMgr", "execd"), "hello.app")
		if file != nil || refusal.Of(err) != want {
			t.Errorf("handed over: %v, %v, want %s", file, err, want)
		}
		if _, err := open(t, v.manager, "payload", "hello.app"); refusal.Of(convert.Excepted(err)) != want {
			t.Errorf("opened: %v, want %s", err, want)
		}
	}
}

// What is not published is not handed over, and a client that takes no files gets none.
func TestNotHanded(t *testing.T) {
	v := start(t)
	holding := v.daemon.Holding("BundleMgr", "execd")
	for _, name := range []string{"", "hello.app", "../b/hello.app"} {
		if file, err := handed(t, holding, name); file != nil || refusal.Of(err) != refusal.UnknownBundle {
			t.Errorf("%q: got %v, %v", name, file, err)
		}
	}
	v.mustPublish(bootctl.A, v.stage(bootctl.A, "1.0.0", service("1.0.0")), 1)
	if file, err := handed(t, holding, "hello.app/.."); file != nil || refusal.Of(err) != refusal.UnknownBundle {
		t.Errorf("got %v, %v", file, err)
	}
}

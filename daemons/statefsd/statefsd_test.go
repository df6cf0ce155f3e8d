package statefsd_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/capnpgen/statefs"
	"nexus/daemons/convert"
	"nexus/daemons/plat"
	"nexus/daemons/statefsd"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/refusal"
	store "nexus/libupdates/statefs"
)

// start runs statefsd on a folder. Log records are never delivered, because there is no logd.
func start(t *testing.T, dir string) *vattest.Daemon {
	t.Helper()
	d := vattest.Start(t, func(ctx context.Context, b *vat.Endowments) error {
		return statefsd.Run(ctx, b, plat.Host{Clock: plat.RealClock{}})
	})
	d.Dir("state", dir)
	return d
}

func keysOf(d *vattest.Daemon, prefix string) statefs.StateFs {
	return statefs.StateFs(d.Client("StateFs", "test", prefix))
}

func put(t *testing.T, c statefs.StateFs, key string, value []byte) error {
	t.Helper()
	answer, release := c.Put(t.Context(), func(p statefs.StateFs_put_Params) error {
		if err := p.SetKey(key); err != nil {
			return err
		}
		return p.SetValue(value)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	return convert.Refused(res.Refusal())
}

func get(t *testing.T, c statefs.StateFs, key string) (string, error) {
	t.Helper()
	answer, release := c.Get(t.Context(), func(p statefs.StateReader_get_Params) error { return p.SetKey(key) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	value, err := res.Value()
	if err != nil {
		t.Fatal(err)
	}
	return string(value), convert.Refused(res.Refusal())
}

func remove(t *testing.T, c statefs.StateFs, key string) error {
	t.Helper()
	answer, release := c.Delete(t.Context(), func(p statefs.StateFs_delete_Params) error { return p.SetKey(key) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	return convert.Refused(res.Refusal())
}

func list(t *testing.T, c statefs.StateFs, start, after string, limit uint32) (keys []string, more bool, err error) {
	t.Helper()
	answer, release := c.List(t.Context(), func(p statefs.StateReader_list_Params) error {
		p.SetLimit(limit)
		if err := p.SetPrefix(start); err != nil {
			return err
		}
		return p.SetAfter(after)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := res.Entries()
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries.Len() {
		key, err := entries.At(i).Key()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys, res.More(), convert.Refused(res.Refusal())
}

func wantReason(t *testing.T, err error, want refusal.Reason) {
	t.Helper()
	var refused *refusal.Error
	if !errors.As(err, &refused) || refused.Reason != want {
		t.Fatalf("got %v, want the reason %s", err, want)
	}
}

func TestValuesOutliveTheDaemon(t *testing.T) {
	dir := t.TempDir()
	d := start(t, dir)
	boot := keysOf(d, "boot")
	for _, key := range []string{"b", "a", "c/d"} {
		if err := put(t, boot, key, []byte("value of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	if err := remove(t, boot, "b"); err != nil {
		t.Fatal(err)
	}
	answer, release := boot.Sync(t.Context(), nil)
	defer release()
	_, err := convert.Outcome(answer.Struct())
	if err != nil {
		t.Fatal(err)
	}
	d.Stop()

	boot = keysOf(start(t, dir), "boot")
	keys, more, err := list(t, boot, "", "", 0)
	if err != nil || more || !slices.Equal(keys, []string{"a", "c/d"}) {
		t.Fatalf("the list is %q, %v, %v", keys, more, err)
	}
	if got, err := get(t, boot, "c/d"); err != nil || got != "value of c/d" {
		t.Fatalf("got %q, %v", got, err)
	}
	keys, more, _ = list(t, boot, "", "", 1)
	if !more || !slices.Equal(keys, []string{"a"}) {
		t.Fatalf("the first page is %q, %v", keys, more)
	}
}

func TestAClientReachesItsPrefixOnly(t *testing.T) {
	d := start(t, t.TempDir())
	boot, apps := keysOf(d, "boot"), keysOf(d, "apps")
	if err := put(t, boot, "record.0", []byte("secret")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"record.0", "boot/record.0"} {
		_, err := get(t, apps, key)
		wantReason(t, err, refusal.NoSuchKey)
	}
	for _, key := range []string{"../boot/record.0", "/boot/record.0", "..", ""} {
		_, err := get(t, apps, key)
		wantReason(t, err, refusal.BadStateKey)
		wantReason(t, put(t, apps, key, nil), refusal.BadStateKey)
		wantReason(t, remove(t, apps, key), refusal.BadStateKey)
	}
	if keys, _, _ := list(t, apps, "", "", 0); len(keys) > 0 {
		t.Fatalf("apps sees %q", keys)
	}
}

func TestWhoHasNoPrefixHasNothing(t *testing.T) {
	d := start(t, t.TempDir())
	for _, grants := range [][]string{nil, {"boot", "apps"}, {"other"}, {""}} {
		c, err := d.TryClient("StateFs", "test", grants...)
		if err == nil && c.IsValid() {
			t.Errorf("grants %q give a capability", grants)
		}
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	d := start(t, dir)
	boot := keysOf(d, "boot")
	wantReason(t, put(t, boot, "big", make([]byte, statefs.MaxValueBytes+1)), refusal.ValueTooLarge)
	if err := put(t, boot, strings.Repeat("k", int(statefs.MaxKeyBytes)),
		make([]byte, statefs.MaxValueBytes)); err != nil {
		t.Fatal(err)
	}
	wantReason(t, put(t, boot, strings.Repeat("k", int(statefs.MaxKeyBytes)+1), nil), refusal.BadStateKey)
	for _, key := range []string{"1", "2"} {
		if err := put(t, boot, key, make([]byte, statefs.MaxValueBytes)); err != nil {
			t.Fatal(err)
		}
	}
	wantReason(t, put(t, boot, "3", make([]byte, statefs.MaxValueBytes)), refusal.QuotaExceeded)
	wantReason(t, remove(t, boot, "3"), refusal.NoSuchKey)
	if err := os.WriteFile(filepath.Join(dir, "boot", "1.value"), []byte("rot"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := get(t, boot, "1")
	wantReason(t, err, refusal.StateDamaged)
	_, _, err = list(t, boot, "Z", "", 0)
	wantReason(t, err, refusal.BadStateKey)
}

func TestAForeignFolderEndsTheDaemon(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "holiday.jpg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := start(t, dir).Await()
	var unusable *statefsd.UnusableError
	if !errors.As(err, &unusable) || refusal.Of(err) != refusal.ForeignState {
		t.Fatalf("it ended with %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Fatalf("the folder holds %v", entries)
	}
}

// TestTheSchemaPromisesWhatTheStoreKeeps compares the constants of the schema with those of the store.
func TestTheSchemaPromisesWhatTheStoreKeeps(t *testing.T) {
	if statefs.MaxKeyBytes != store.MaxKey || statefs.MaxValueBytes != store.MaxValue ||
		statefs.MaxPageEntries != store.MaxPage {
		t.Fatal("schema and store have different bounds")
	}
}

func TestAlive(t *testing.T) {
	d := start(t, t.TempDir())
	d.AwaitReady()
	d.AwaitAlive()
	d.AwaitAlive()
}

package statefs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/statefs"
)

func TestKeys(t *testing.T) {
	for _, key := range []string{"a", "record.0", "bundle/hello/x-1", "0", "a_b", strings.Repeat("k", statefs.MaxKey)} {
		if err := statefs.CheckKey(key); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
	for _, key := range []string{"", "/", "a/", "/a", "a//b", ".", "..", "a/../b", ".a", "a.", "A", "a b", "a+b", "ä",
		"a\x00",
		strings.Repeat("k", statefs.MaxKey+1)} {
		if err := statefs.CheckKey(key); refusal.Of(err) != refusal.BadStateKey {
			t.Errorf("%q: got %v", key, err)
		}
	}
}

func TestPutGetDelete(t *testing.T) {
	d := durabletest.New()
	apps := open(t, d).Prefix("apps")
	put(t, apps, "hello/one", "1")
	put(t, apps, "hello/one", "")
	wantValue(t, apps, "hello/one", "")
	put(t, apps, "hello/one", "uno")
	put(t, apps, "two", strings.Repeat("2", statefs.MaxValue))
	again := open(t, d).Prefix("apps")
	wantValue(t, again, "hello/one", "uno")
	wantValue(t, again, "two", strings.Repeat("2", statefs.MaxValue))
	if err := again.Delete("hello/one"); err != nil {
		t.Fatal(err)
	}
	_, err := again.Get("hello/one")
	wantRefusal(t, err, refusal.NoSuchKey)
	wantRefusal(t, again.Delete("hello/one"), refusal.NoSuchKey)
	_, err = open(t, d).Prefix("apps").Get("hello/one")
	wantRefusal(t, err, refusal.NoSuchKey)
}

func TestPrefixesKnowNothingOfEachOther(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	for name := range statefs.Quotas() {
		put(t, s.Prefix(name), "key", name)
	}
	s = open(t, d)
	for name := range statefs.Quotas() {
		wantValue(t, s.Prefix(name), "key", name)
	}
	if s.Prefix("other") != nil {
		t.Fatal("there is a prefix without a quota")
	}
	// A value that was moved to another prefix, or to another key, is not a value there.
	file(t, d, "apps/key.value", read(t, d, "boot/key.value"))
	file(t, d, "apps/copy.value", read(t, d, "apps/key.value"))
	s = open(t, d)
	for _, key := range []string{"key", "copy"} {
		_, err := s.Prefix("apps").Get(key)
		wantRefusal(t, err, refusal.StateDamaged)
	}
}

func TestRefusedPutsChangeNothing(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	boot := s.Prefix("boot")
	put(t, boot, "full", strings.Repeat("x", statefs.MaxValue))
	put(t, boot, "full/2", strings.Repeat("x", statefs.MaxValue))
	put(t, boot, "full/3", strings.Repeat("x", statefs.MaxValue))
	before := d.Snapshot()
	wantRefusal(t, boot.Put("A", nil), refusal.BadStateKey)
	wantRefusal(t, boot.Put("big", make([]byte, statefs.MaxValue+1)), refusal.ValueTooLarge)
	wantRefusal(t, boot.Put("full/4", make([]byte, statefs.MaxValue)), refusal.QuotaExceeded)
	wantSame(t, d, before)
	put(t, boot, "small", "fits")
	put(t, boot, "full", "smaller")
	put(t, boot, "full/4", strings.Repeat("y", statefs.MaxValue-64))
}

func TestQuotaOfKeys(t *testing.T) {
	boot := open(t, durabletest.New()).Prefix("boot")
	for i := range statefs.Quotas()["boot"].Keys {
		put(t, boot, fmt.Sprint("key", i), "")
	}
	wantRefusal(t, boot.Put("one-more", nil), refusal.QuotaExceeded)
	put(t, boot, "key0", "replaced")
	if err := boot.Delete("key1"); err != nil {
		t.Fatal(err)
	}
	put(t, boot, "one-more", "")
}

// The used size is the same after the next start, and after every kind of change.
func TestQuotaIsExact(t *testing.T) {
	d := durabletest.New()
	boot := open(t, d).Prefix("boot")
	room := int(statefs.Quotas()["boot"].Bytes)
	for i := range 3 {
		put(t, boot, fmt.Sprint("k", i), strings.Repeat("x", statefs.MaxValue))
		room -= statefs.MaxValue + 2
	}
	put(t, boot, "k2", "gone")
	if err := boot.Delete("k2"); err != nil {
		t.Fatal(err)
	}
	put(t, boot, "k2", strings.Repeat("x", statefs.MaxValue))
	for _, boot := range []*statefs.Prefix{boot, open(t, d).Prefix("boot")} {
		wantRefusal(t, boot.Put("k3", make([]byte, room-2+1)), refusal.QuotaExceeded)
		if err := boot.Put("k3", make([]byte, room-2)); err != nil {
			t.Fatal(err)
		}
		if err := boot.Delete("k3"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestListInByteOrderByPages(t *testing.T) {
	apps := open(t, durabletest.New()).Prefix("apps")
	want := []string{"a", "a-b", "a.b", "a/b", "a0", "b/1", "b/10", "b/2", "b_0"}
	for _, key := range slices.Backward(want) {
		put(t, apps, key, key)
	}
	for _, c := range []struct {
		start, after string
		limit        int
		want         []string
		more         bool
	}{
		{"", "", 0, want, false},
		{"", "", len(want), want, false},
		{"", "", 4, want[:4], true},
		{"", "a/b", 4, want[4:8], true},
		{"", "b/2", 4, want[8:], false},
		{"", "zz", 4, nil, false},
		{"b/", "", 0, want[5:8], false},
		{"b/", "b/1", 1, want[6:7], true},
		{"c", "", 0, nil, false},
	} {
		entries, more, err := apps.List(c.start, c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Key)
			if e.Size != int64(len(e.Key)) {
				t.Errorf("%s has a size of %d", e.Key, e.Size)
			}
		}
		if !slices.Equal(got, c.want) || more != c.more {
			t.Errorf("list(%q, %q, %d) = %q, %v; want %q, %v", c.start, c.after, c.limit, got, more, c.want, c.more)
		}
	}
	_, _, err := apps.List("A", "", 0)
	wantRefusal(t, err, refusal.BadStateKey)
	_, _, err = apps.List("", "../", 0)
	if err != nil {
		t.Fatal(err) // no key comes near it, but it is text of the alphabet
	}
}

func TestAPageIsBounded(t *testing.T) {
	apps := open(t, durabletest.New()).Prefix("apps")
	for i := range statefs.MaxPage + 1 {
		put(t, apps, fmt.Sprintf("%04d", i), "")
	}
	for _, limit := range []int{0, statefs.MaxPage, statefs.MaxPage + 1, 1 << 30} {
		entries, more, err := apps.List("", "", limit)
		if err != nil || len(entries) != statefs.MaxPage || !more {
			t.Errorf("limit %d: %d entries, %v, %v", limit, len(entries), more, err)
		}
	}
}

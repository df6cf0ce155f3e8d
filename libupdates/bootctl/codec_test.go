package bootctl_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// full returns a record with something in every field.
func full(t *testing.T) bootctl.Record {
	m := must{t}
	r := m.update(bootctl.New(), set(1))
	r, err := m.attempt(m.put(r, set(2))).Rollback(refusal.ByOperator, "not this one")
	m.ok(err)
	return m.attempt(m.put(m.commit(m.attempt(r)), set(3)))
}

// floored returns a record with a version floor and a slot in which damage was found.
func floored(t *testing.T) bootctl.Record {
	r := confirmed(t, confirmed(t, bootctl.New(), asking(1, "1.1.0", "1.0.0")), asking(2, "1.2.0", "1.1.0"))
	r, err := r.Damage(r.Standby(), refusal.SizeMismatch, "")
	must{t}.ok(err)
	return r
}

func encode(t *testing.T, r bootctl.Record) []byte {
	t.Helper()
	raw, err := bootctl.Encode(r)
	must{t}.ok(err)
	return raw
}

func TestRoundTrip(t *testing.T) {
	all := states(t)
	all["full"] = full(t)
	all["floor and damage"] = floored(t)
	for name, want := range all {
		t.Run(name, func(t *testing.T) {
			raw := encode(t, want)
			got, err := bootctl.Decode(raw)
			must{t}.ok(err)
			equal(t, "active", got.Active, want.Active)
			equal(t, "pending", got.Pending, want.Pending)
			equal(t, "staged", got.Staged, want.Staged)
			equal(t, "tries left", got.TriesLeft, want.TriesLeft)
			equal(t, "health", got.HealthOK, want.HealthOK)
			equal(t, "boot", got.Boot, want.Boot)
			equal(t, "floor", got.Floor, want.Floor)
			equal(t, "stage serial", got.StageSerial, want.StageSerial)
			equal(t, "slots", got.Slots, want.Slots)
			equal(t, "quarantine", len(got.Quarantine), len(want.Quarantine))
			equal(t, "last rollback", got.LastRollback, want.LastRollback)
			equal(t, "history", got.History, want.History)
			equal(t, "encoded again", encode(t, got), raw)
		})
	}
}

// The bytes on a device's disk may not change their meaning, so neither may these.
func TestGoldenBytes(t *testing.T) {
	if got, want := hex.EncodeToString(encode(t, bootctl.New())), goldenNew; got != want {
		t.Errorf("new record:\n got  %s\n want %s", got, want)
	}
	sum := sha256.Sum256(encode(t, full(t)))
	if got := hex.EncodeToString(sum[:]); got != goldenFull {
		t.Errorf("full record:\n got  %s\n want %s", got, goldenFull)
	}
	sum = sha256.Sum256(encode(t, floored(t)))
	if got := hex.EncodeToString(sum[:]); got != goldenFloor {
		t.Errorf("record with a floor and damage:\n got  %s\n want %s", got, goldenFloor)
	}
}

// goldenStagedInSlot was written by the version before this one: set 1 is confirmed in slot b, set 2 staged in slot a.
const goldenStagedInSlot = "" +
	"0000000051000000000000000400050000000200000001000100000000000000020000000000000002000000000000001000" +
	"0000000002002800000001000200000000000000000000000000000000003d000000cf000000050000000201000011000000" +
	"320000000200000000000000000000000000000000000000000000000000000000000000312e322e30000000010000000000" +
	"0000050000000201000011000000320000000100000000000000000000000000000000000000000000000000000000000000" +
	"312e312e30000000140000000200030002000000000000000000000000000000590000003200000059000000320000005900" +
	"000002010000020000000000000000000000000000005d0000003a0000005d000000320000005d0000000201000002000000" +
	"0000000002000000000000006100000042000000610000003200000061000000020100000200000000000000020000000000" +
	"0000650000003a00000065000000320000006500000002010000010000000000000002000000000000006900000032000000" +
	"690000003200000069000000020100007374616765000000312e312e30000000010000000000000000000000000000000000" +
	"00000000000000000000000000007377697463680000312e312e300000000100000000000000000000000000000000000000" +
	"000000000000000000000000617474656d707400312e312e3000000001000000000000000000000000000000000000000000" +
	"00000000000000000000636f6d6d69740000312e312e30000000010000000000000000000000000000000000000000000000" +
	"00000000000000007374616765000000312e322e300000000200000000000000000000000000000000000000000000000000" +
	"000000000000"

const (
	goldenNew   = "000000000400000000000000010002000000010000000000fcffffff00000000fcffffff00000000"
	goldenFloor = "3ca1b9af21772528f28f8441c70ad9342c515e824f986a8c83b42bb855dbc79e"
	goldenFull  = "40722152e3297f26e3e5ae5a7b2660460f7c3f58fb31f633525680e9583c8c80"
)

func TestLargestRecordFits(t *testing.T) {
	m := must{t}
	long := string(bytes.Repeat([]byte("9"), 64))
	r := bootctl.New()
	for n := range 100 {
		c := bootctl.Content{Digest: bootctl.Digest{byte(n + 1)}, Version: long, Floor: long}
		var err error
		r, err = m.attempt(m.put(r, c)).Rollback(refusal.ServiceStartFailed, long+long+long+long)
		m.ok(err)
	}
	if size := len(encode(t, r)); size > bootctl.MaxEncoded/2 {
		t.Errorf("the largest record has %d bytes, which leaves a newer version less than half", size)
	}
}

func TestEncodeRefusesABrokenRecord(t *testing.T) {
	for name, r := range map[string]bootctl.Record{
		"zero value":          {},
		"pending is active":   {Active: bootctl.A, Pending: bootctl.A, Slots: [2]bootctl.Content{set(1), set(2)}},
		"text with a control": {Active: bootctl.A, Slots: [2]bootctl.Content{{Digest: set(1).Digest, Version: "1\n"}}},
	} {
		if raw, err := bootctl.Encode(r); err == nil || raw != nil {
			t.Errorf("%s: got %d bytes and error %v, want a refusal", name, len(raw), err)
		}
	}
}

// message builds a boot record that may be nonsense.
func message(t *testing.T, fill func(bootrecord.BootRecord) error) []byte {
	t.Helper()
	m := must{t}
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	root, err := bootrecord.NewRootBootRecord(seg)
	m.ok(err)
	root.SetSchemaVersion(1)
	root.SetActive(bootrecord.Slot_a)
	m.ok(fill(root))
	raw, err := msg.Marshal()
	m.ok(err)
	return raw
}

// The version before staged a set in the standby slot. What it staged is staged, and so is what this version staged, of
// which the other one sees nothing.
func TestStagedInASlot(t *testing.T) {
	m := must{t}
	raw, err := hex.DecodeString(goldenStagedInSlot)
	m.ok(err)
	r := decode(t, raw)
	equal(t, "staged", r.Staged, set(2))
	equal(t, "slots", held(r), "2 1")
	again := encode(t, r)
	equal(t, "written again", shown(decode(t, again)), shown(r))
	root, err := bootrecord.ReadRootBootRecord(unmarshal(t, again))
	m.ok(err)
	equal(t, "what an older version sees of it", root.Staged(), bootrecord.Slot_none)
	switched, err := r.Switch(r.StageSerial, 2)
	m.ok(err)
	equal(t, "switched", summary(switched), "b pending a 2")
}

// An older version does not know the field with the staged set, and keeps it. What became void meanwhile is not staged.
func TestStagedSetThatBecameVoid(t *testing.T) {
	m := must{t}
	staged := m.stage(m.update(m.update(bootctl.New(), set(1)), set(2)), set(3)) // slot a active, set 1 in slot b
	for name, void := range map[string]func(bootrecord.BootRecord) error{
		"a trial began": func(r bootrecord.BootRecord) error { r.SetPending(bootrecord.Slot_b); return nil },
		"it is active": func(r bootrecord.BootRecord) error {
			c, err := r.SlotA()
			if err != nil {
				return err
			}
			return c.SetIndexSha256(bytesOf(set(3)))
		},
		"it is quarantined": func(r bootrecord.BootRecord) error {
			list, err := r.NewQuarantine(1)
			if err != nil {
				return err
			}
			return list.At(0).SetIndexSha256(bytesOf(set(3)))
		},
		"it is below the floor": func(r bootrecord.BootRecord) error { return r.SetVersionFloor("2.0.0") },
	} {
		t.Run(name, func(t *testing.T) {
			whole, err := bootrecord.ReadRootBootRecord(unmarshal(t, encode(t, staged)))
			must{t}.ok(err)
			r := decode(t, message(t, func(root bootrecord.BootRecord) error {
				must{t}.ok(capnp.Struct(root).CopyFrom(capnp.Struct(whole)))
				return void(root)
			}))
			equal(t, "staged", r.Staged, bootctl.Content{})
			encode(t, r)
		})
	}
}

func bytesOf(c bootctl.Content) []byte { return c.Digest[:] }

func unmarshal(t *testing.T, raw []byte) *capnp.Message {
	t.Helper()
	msg, err := capnp.Unmarshal(raw)
	must{t}.ok(err)
	return msg
}

func TestDecodeRefusesNonsense(t *testing.T) {
	slotB := func(root bootrecord.BootRecord, digest []byte, version string) error {
		c, err := root.NewSlotB()
		if err == nil {
			err = c.SetIndexSha256(digest)
		}
		if err == nil {
			err = c.SetSystemVersion(version)
		}
		return err
	}
	digest := bytes.Repeat([]byte{7}, 32)
	for _, c := range []struct {
		name   string
		reason refusal.Reason
		fill   func(bootrecord.BootRecord) error
	}{
		{"schema version 0", refusal.BadSchemaVersion,
			func(r bootrecord.BootRecord) error { r.SetSchemaVersion(0); return nil }},
		{"schema version 2", refusal.BadSchemaVersion,
			func(r bootrecord.BootRecord) error { r.SetSchemaVersion(2); return nil }},
		{"no active slot", refusal.IO,
			func(r bootrecord.BootRecord) error { r.SetActive(bootrecord.Slot_none); return nil }},
		{"unknown slot", refusal.IO, func(r bootrecord.BootRecord) error { r.SetActive(3); return nil }},
		{"unknown slot beyond a byte", refusal.IO,
			func(r bootrecord.BootRecord) error { r.SetActive(257); return nil }},
		{"pending is active", refusal.IO,
			func(r bootrecord.BootRecord) error { r.SetPending(bootrecord.Slot_a); return nil }},
		{"pending slot is empty", refusal.IO,
			func(r bootrecord.BootRecord) error { r.SetPending(bootrecord.Slot_b); return nil }},
		{"unknown staged slot", refusal.IO, func(r bootrecord.BootRecord) error { r.SetStaged(3); return nil }},
		{"staged set without a digest", refusal.IO, func(r bootrecord.BootRecord) error {
			c, err := r.NewStagedSet()
			if err == nil {
				err = c.SetIndexSha256(digest[1:])
			}
			return err
		}},
		{"staged is active", refusal.IO,
			func(r bootrecord.BootRecord) error { r.SetStaged(bootrecord.Slot_a); return nil }},
		{"staged slot is empty", refusal.IO,
			func(r bootrecord.BootRecord) error { r.SetStaged(bootrecord.Slot_b); return nil }},
		{"staged and pending", refusal.IO, func(r bootrecord.BootRecord) error {
			r.SetStaged(bootrecord.Slot_b)
			r.SetPending(bootrecord.Slot_b)
			return slotB(r, digest, "1.0.0")
		}},
		{"tries without a trial", refusal.IO, func(r bootrecord.BootRecord) error { r.SetTriesLeft(1); return nil }},
		{"digest too short", refusal.IO, func(r bootrecord.BootRecord) error { return slotB(r, digest[1:], "1.0.0") }},
		{"digest is zero", refusal.IO, func(r bootrecord.BootRecord) error { return slotB(r, make([]byte, 32), "") }},
		{"version without a set", refusal.IO, func(r bootrecord.BootRecord) error { return slotB(r, nil, "1.0.0") }},
		{"version too long", refusal.IO, func(r bootrecord.BootRecord) error {
			return slotB(r, digest, string(make([]byte, 65)))
		}},
		{"quarantine too long", refusal.IO, func(r bootrecord.BootRecord) error {
			_, err := r.NewQuarantine(65)
			return err
		}},
		{"quarantine of nothing", refusal.IO, func(r bootrecord.BootRecord) error {
			_, err := r.NewQuarantine(1)
			return err
		}},
		{"history too long", refusal.IO, func(r bootrecord.BootRecord) error {
			_, err := r.NewHistory(65)
			return err
		}},
		{"list that claims to be endless", refusal.IO, func(r bootrecord.BootRecord) error {
			list, err := capnp.NewCompositeList(capnp.Struct(r).Segment(), capnp.ObjectSize{}, 1<<28)
			if err == nil {
				err = capnp.Struct(r).SetPtr(4, list.ToPtr())
			}
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := bootctl.Decode(message(t, c.fill))
			if err == nil {
				t.Fatal("was accepted")
			}
			wantReason(t, err, c.reason)
			equal(t, "record", r, bootctl.Record{})
		})
	}
}

func TestDecodeRefusesBadFraming(t *testing.T) {
	good := encode(t, full(t))
	for n := range good {
		if _, err := bootctl.Decode(good[:n]); err == nil {
			t.Fatalf("accepted the first %d of %d bytes", n, len(good))
		}
	}
	for name, raw := range map[string][]byte{
		"a byte more":     append(bytes.Clone(good), 0),
		"a word more":     append(bytes.Clone(good), make([]byte, 8)...),
		"2^32-1 segments": append([]byte{0xfe, 0xff, 0xff, 0xff}, good[4:]...),
		"2^32 segments":   append([]byte{0xff, 0xff, 0xff, 0xff}, good[4:]...),
		"huge segment":    append([]byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, good[8:]...),
		"too large":       make([]byte, bootctl.MaxEncoded+8),
	} {
		if _, err := bootctl.Decode(raw); err == nil {
			t.Errorf("%s: was accepted", name)
		}
	}
}

// A damaged record is refused or read as another one; it never harms the reader. FuzzDecode looks further.
func TestFlippedBitsNeverHarm(t *testing.T) {
	good := encode(t, full(t))
	for bit := range 8 * len(good) {
		raw := bytes.Clone(good)
		raw[bit/8] ^= 1 << (bit % 8)
		survives(t, raw)
	}
}

// survives decodes, and holds what could be read against its own encoding.
func survives(t *testing.T, raw []byte) {
	t.Helper()
	r, err := bootctl.Decode(raw)
	if err != nil {
		return
	}
	again, err := bootctl.Decode(encode(t, r))
	must{t}.ok(err)
	if key(again) != key(r) || again.Boot != r.Boot || again.StageSerial != r.StageSerial ||
		len(again.History) != len(r.History) {
		t.Errorf("read %s, wrote %s", key(r), key(again))
	}
	next, _ := r.BootAttempt()
	encode(t, next)
}

func FuzzDecode(f *testing.F) {
	for _, golden := range []string{goldenNew, ""} {
		raw, err := hex.DecodeString(golden)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	staged, _, err := bootctl.New().Stage(set(1))
	if err != nil {
		f.Fatal(err)
	}
	raw, err := bootctl.Encode(staged)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) { survives(t, raw) })
}

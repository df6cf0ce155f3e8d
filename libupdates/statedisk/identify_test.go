package statedisk

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"nexus/libupdates/refusal"
)

func prepared(t *testing.T, size int64) *testDisk {
	t.Helper()
	d := blank(size)
	if kind, err := Prepare(d, size); err != nil || kind != New {
		t.Fatal(kind, err)
	}
	return d
}

// sign corrects the checksum of the superblock at an offset.
func (d *testDisk) sign(offset int64) {
	super := d.durable[offset : offset+superSize]
	binary.LittleEndian.PutUint32(super[offsetChecksum:],
		^crc32.Checksum(super[:offsetChecksum], crc32.MakeTable(crc32.Castagnoli)))
}

func TestIdentify(t *testing.T) {
	const large = superCopy + 2<<20
	ours := func(change func(d *testDisk)) *testDisk {
		d := prepared(t, MinSize)
		change(d)
		return d
	}
	for _, c := range []struct {
		name   string
		disk   *testDisk
		kind   Kind
		reason refusal.Reason
		text   string
	}{
		{"blank", blank(MinSize + 12345*sector), New, "", ""},
		{"too small", blank(MinSize - sector), 0, refusal.IO, "it has 16776704 bytes, want at least 16777216"},
		{"ours", prepared(t, MinSize), Ours, "", ""},
		{"in use",
			ours(func(d *testDisk) { d.durable[superOffset+0x30] = 1; d.sign(superOffset); d.durable[MinSize-1] = 1 }),
			Ours, "", ""},
		{"damage was noted",
			ours(func(d *testDisk) { d.durable[superOffset+offsetState] |= stateError; d.sign(superOffset) }), Noted,
			"", ""},
		{"its checksum is wrong", ours(func(d *testDisk) { d.durable[superOffset+0x30]++ }), 0, refusal.StateDamaged,
			"its superblock is damaged: the checksum does not match"},
		{"its superblock is gone, another stands", func() *testDisk {
			d := prepared(t, large)
			copy(d.durable[superCopy:], d.durable[superOffset:superOffset+superSize])
			copy(d.durable[superOffset:], make([]byte, superSize))
			d.durable[MinSize-1] = 1
			return d
		}(), 0, refusal.StateDamaged, "its superblock is damaged; the copy in block 32768 is intact"},
		{"another ext4", ours(func(d *testDisk) {
			copy(d.durable[superOffset+offsetLabel:], "holidays\x00\x00\x00")
			d.sign(superOffset)
		}), 0, refusal.ForeignState,
			`it holds a file system of the ext family named "holidays", which is not ours`},
		{"a boot sector", holding(MinSize, 510, "\x55\xaa"), 0, refusal.ForeignState,
			"it holds something at byte 0, which is not ours"},
		{"something further on", holding(MinSize, 9<<20+3, "x"), 0, refusal.ForeignState,
			"it holds something at byte 9437184, which is not ours"},
		{"something at the end", holding(MinSize+4<<20, MinSize+4<<20-1, "x"), 0, refusal.ForeignState,
			"it holds something at byte 20971008, which is not ours"},
		{"half ours, and a byte of a stranger's", func() *testDisk {
			d := prepared(t, MinSize)
			copy(d.durable[superOffset:], make([]byte, superSize))
			d.durable[BlockSize+7]++
			return d
		}(), 0, refusal.ForeignState, "it holds something at byte 4096, which is not ours"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, err := Identify(c.disk, int64(len(c.disk.durable)))
			if kind != c.kind || refusal.Of(err) != c.reason || err != nil && err.Error() != c.text {
				t.Errorf("got %v, %v, want %v, %q", kind, err, c.kind, c.text)
			}
		})
	}
}

// An unreadable disk does not count as new.
func TestIdentifyAnUnreadableDisk(t *testing.T) {
	d := blank(MinSize)
	if _, err := Identify(d, 2*MinSize); err == nil {
		t.Error("a disk that ends before its end was taken")
	}
}

// FuzzIdentify puts any bytes anywhere: there is no panic, and a disk that counts as new loses nothing when it is
// prepared.
func FuzzIdentify(f *testing.F) {
	f.Add([]byte("nexus-state"), int64(superOffset+offsetLabel))
	f.Add([]byte{0x53, 0xef}, int64(superOffset+offsetMagic))
	want := blank(MinSize)
	if _, err := Prepare(want, MinSize); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte, at int64) {
		if at < 0 || at > MinSize-int64(len(raw)) {
			t.Skip("outside the disk")
		}
		d := holding(MinSize, at, string(raw))
		if kind, err := Prepare(d, MinSize); err == nil && kind == New && !bytes.Equal(d.durable, want.durable) {
			t.Fatalf("%q at %d was overwritten or kept", raw, at)
		}
	})
}

package chaos_test

import (
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/updater"
)

// TestRecordsSurvive stops every flow after every step, changes the record on the disk and starts again: with either
// half damaged, and in the form that the next version would write.
func TestRecordsSurvive(t *testing.T) {
	a := newArena(t, 1, 0, *seed)
	b := newBench(a.library)
	starts := 0
	for _, f := range chosen(flows(), true) {
		for stop := range len(f.steps()) + 1 {
			for name, start := range map[string]func(*device) violation{
				"first half damaged": startsWithout(0), "second half damaged": startsWithout(1),
				"next version": startsOnNewer,
			} {
				d := a.begin(b, onDisk, fault{}, -1)
				d.performSome(f, stop)
				d.check(start(d))
				if d.engine != nil {
					d.must(d.settle())
				}
				a.rest(d, true)
				starts++
				for _, v := range d.broken {
					t.Errorf("flow=%s, stopped after %d steps, %s: %s", f.name, stop, name, v)
				}
			}
		}
	}
	t.Logf("%d starts", starts)
}

// secondHalf is the offset of the second half of a record's file.
const secondHalf = durable.MaxCellValue + 4096

// startsWithout damages one half and starts again.
func startsWithout(half int) func(*device) violation {
	return func(d *device) violation {
		raw := fileOf(d.disk)
		raw[half*secondHalf+40] ^= 0xff // in its checksum
		may := d.may.with(d.around...)
		for _, was := range d.around { // before a switch, the links of which have moved
			if was.staged != "" {
				was.other, was.otherGood, was.watch = was.staged, false, 0
				may = may.with(was)
			}
		}
		if err := d.restartWith(raw, may); err != nil {
			return broke(saysHalves, "%v", err)
		}
		return violation{}
	}
}

// startsOnNewer adds a field after all others of the record and starts again. Later writes must keep the field.
func startsOnNewer(d *device) violation {
	const mark = 0x6e657875735f7832
	disk := durabletest.New()
	cell, err := cellOn(d.disk)
	if err != nil {
		return broke(saysVersions, "%v", err)
	}
	raw, _ := cell.Load()
	wider, size, err := widened(raw, mark)
	if err != nil {
		return broke(saysVersions, "%v", err)
	}
	if cell, err = cellOn(disk); err == nil {
		err = cell.Store(wider)
	}
	if err == nil {
		err = d.restartWith(fileOf(disk), d.may)
	}
	if err == nil {
		err = d.settle()
	}
	if err != nil {
		return broke(saysVersions, "%v", err)
	}
	if cell, err = cellOn(d.disk); err != nil {
		return broke(saysVersions, "%v", err)
	}
	raw, _ = cell.Load()
	if root, err := rootOf(raw); err != nil || root.Size().DataSize < size ||
		root.Uint64(capnp.DataOffset(size-8)) != mark {
		return broke(saysVersions, "the field is gone (%v)", err)
	}
	return violation{}
}

// restartWith starts updated on a disk with this record.
func (d *device) restartWith(raw []byte, may beliefs) error {
	disk := d.disk.Clone()
	if err := disk.Overwrite(recordFile, raw); err != nil {
		return err
	}
	d.boot, d.given, d.runs = 0, 0, updater.Publication{} // the older half has an older attempt number
	d.take(disk)
	return d.start(may)
}

func cellOn(disk *durabletest.Disk) (*durable.Cell, error) {
	file, err := disk.CellFile(recordFile)
	if err != nil {
		return nil, err
	}
	return durable.OpenCell(file)
}

// fileOf returns the record's whole file.
func fileOf(disk *durabletest.Disk) []byte {
	file, err := disk.CellFile(recordFile)
	if err != nil {
		return nil
	}
	raw := make([]byte, 2*secondHalf)
	n, _ := file.ReadAt(raw, 0)
	return raw[:n]
}

func rootOf(raw []byte) (capnp.Struct, error) {
	msg, err := capnp.Unmarshal(raw)
	if err != nil {
		return capnp.Struct{}, err
	}
	root, err := msg.Root()
	return root.Struct(), err
}

// widened returns the message with one more word in its root, and the new size of the root's data.
func widened(raw []byte, mark uint64) ([]byte, capnp.Size, error) {
	was, err := rootOf(raw)
	if err != nil {
		return nil, 0, err
	}
	_, segment, err := capnp.NewMessage(capnp.SingleSegment(nil))
	if err != nil {
		return nil, 0, err
	}
	known, err := bootrecord.NewBootRecord(segment)
	if err != nil {
		return nil, 0, err
	}
	size := capnp.Struct(known).Size() // a field with its default value may not have been written
	size.DataSize, size.PointerCount = max(size.DataSize, was.Size().DataSize)+8,
		max(size.PointerCount, was.Size().PointerCount)
	msg, segment, err := capnp.NewMessage(capnp.SingleSegment(nil))
	if err != nil {
		return nil, 0, err
	}
	root, err := capnp.NewRootStruct(segment, size)
	if err == nil {
		err = root.CopyFrom(was)
	}
	if err != nil {
		return nil, 0, err
	}
	root.SetUint64(capnp.DataOffset(size.DataSize-8), mark)
	wider, err := msg.Marshal()
	return wider, size.DataSize, err
}

package logd

import (
	"fmt"
	"strconv"
	"strings"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/libupdates/message"
)

// A segment is a part of one share on disk. Its key is the share and a number that no other has:
// `audit/00000000000000000012`.
type segment struct {
	share  share
	number uint64
}

// shareNames are the shares as keys have them.
func shareNames() [shares]string {
	return [shares]string{shareAudit: "audit", shareDaemons: "daemons", shareBundles: "bundles"}
}

func (s segment) key() string { return fmt.Sprintf("%s/%020d", shareNames()[s.share], s.number) }

// segmentOf is the way back; false for a key that is no segment's.
func segmentOf(key string) (segment, bool) {
	name, digits, _ := strings.Cut(key, "/")
	for s, known := range shareNames() {
		if known != name {
			continue
		}
		number, err := strconv.ParseUint(digits, 10, 64)
		found := segment{share(s), number}
		return found, err == nil && found.key() == key
	}
	return segment{}, false
}

// encodeSegment writes records as a value. What they cost in memory bounds its size.
func encodeSegment(records []record) ([]byte, error) {
	_, arena := capnp.NewSingleSegmentMessage(nil)
	root, err := journal.NewRootSegment(arena)
	if err != nil {
		return nil, err
	}
	list, err := root.NewRecords(int32(len(records)))
	if err != nil {
		return nil, err
	}
	if err := encode(list, records); err != nil {
		return nil, err
	}
	return message.Canonical(capnp.Struct(root))
}

// decodeSegment reads a value, whatever is in it: the checksum only says that it is what somebody put.
func decodeSegment(raw []byte) ([]record, error) {
	msg, err := message.Open(raw)
	if err != nil {
		return nil, err
	}
	root, err := journal.ReadRootSegment(msg)
	if err != nil {
		return nil, err
	}
	list, err := root.Records()
	if err != nil {
		return nil, err
	}
	if list.Len() > len(raw)/minRecord {
		return nil, fmt.Errorf("%d records are too many for %d bytes", list.Len(), len(raw))
	}
	var records []record
	for i := range list.Len() {
		r, err := readRecord(list.At(i))
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// minRecord is what a record takes at least in a value, in bytes.
const minRecord = 16

func readRecord(m journal.Record) (record, error) {
	sender, err := m.Sender()
	if err != nil {
		return record{}, err
	}
	if sender == "" || len(sender) > maxSender || m.Sequence() == 0 || m.Sequence() > maxSequence {
		return record{}, fmt.Errorf("no record is the %dth, of a sender of %d bytes", m.Sequence(), len(sender))
	}
	said, err := m.Entry()
	if err != nil {
		return record{}, err
	}
	entry, err := logclient.ReadEntry(said)
	return record{sequence: m.Sequence(), sender: strings.Clone(sender), unixMs: m.UnixMs(), entry: entry}, err
}

// Bounds of a record on disk: a sender is a kind and a name, and a journal that was filled up to the sequence has room
// for more.
const (
	maxSender   = 2*maxChildName + 1
	maxSequence = 1 << 62
)

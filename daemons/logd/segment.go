package logd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/libupdates/audit"
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
	return [shares]string{
		shareAudit: "audit", shareEvents: "events", shareDaemons: "daemons", shareBundles: "bundles",
	}
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

// A content is what a segment holds: records, and where the journal was when it was written.
type content struct {
	records []record
	head    audit.Head // of the chain, as far as it was on disk with this segment
	oldest  uint64     // number of the oldest audit record on disk
	boot    uint32
	bootID  string
}

// encodeSegment writes a content as a value. What the records cost in memory bounds its size.
func encodeSegment(c content) ([]byte, error) {
	_, arena := capnp.NewSingleSegmentMessage(nil)
	root, err := journal.NewRootSegment(arena)
	if err != nil {
		return nil, err
	}
	root.SetBoot(c.boot)
	root.SetOldest(c.oldest)
	head, err := root.NewHead()
	if err != nil {
		return nil, err
	}
	list, err := root.NewRecords(int32(len(c.records)))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(root.SetBootId(c.bootID), setHead(head, c.head), encode(list, c.records)); err != nil {
		return nil, err
	}
	return message.Canonical(capnp.Struct(root))
}

// decodeSegment reads a value, whatever is in it: the checksum only says that it is what somebody put.
func decodeSegment(raw []byte) (c content, err error) {
	msg, err := message.Open(raw)
	if err != nil {
		return content{}, err
	}
	root, err := journal.ReadRootSegment(msg)
	if err != nil {
		return content{}, err
	}
	list, err := root.Records()
	if err != nil {
		return content{}, err
	}
	if list.Len() > len(raw)/minRecord {
		return content{}, fmt.Errorf("%d records are too many for %d bytes", list.Len(), len(raw))
	}
	for i := range list.Len() {
		r, err := readRecord(list.At(i))
		if err != nil {
			return content{}, err
		}
		c.records = append(c.records, r)
	}
	if c.head, err = readHead(root); err != nil {
		return content{}, err
	}
	c.boot, c.oldest = root.Boot(), min(root.Oldest(), maxSequence)
	c.bootID, err = root.BootId()
	if len(c.bootID) > maxBootID {
		err = fmt.Errorf("the id of a boot has %d bytes", len(c.bootID))
	}
	c.bootID = strings.Clone(c.bootID)
	return c, err
}

// readHead reads the head of a segment. Those of a version without the chain have none.
func readHead(root journal.Segment) (h audit.Head, err error) {
	if !root.HasHead() {
		return audit.Head{}, nil
	}
	m, err := root.Head()
	if err != nil {
		return audit.Head{}, err
	}
	h.Number = m.Number()
	h.Hash, err = readHash(m.Sha256())
	if h.Number > maxSequence {
		err = fmt.Errorf("no record is the %dth", h.Number)
	}
	return h, err
}

// readHash takes the result of a message's getter.
func readHash(raw []byte, err error) (h audit.Hash, _ error) {
	if err == nil && len(raw) != len(h) {
		err = fmt.Errorf("a hash has %d bytes, not %d", len(raw), len(h))
	}
	copy(h[:], raw)
	return h, err
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
	r := record{
		sequence: m.Sequence(), sender: strings.Clone(sender), unixMs: m.UnixMs(), boot: m.Boot(), entry: entry,
		number: m.AuditNumber(),
	}
	if err == nil && r.number != 0 {
		r.previous, err = readHash(m.PreviousSha256())
	}
	return r, err
}

// Bounds of a record on disk: a sender is a kind and a name, and a journal that was filled up to the sequence has room
// for more.
const (
	maxSender   = 2*maxChildName + 1
	maxBootID   = 64
	maxSequence = 1 << 62
)

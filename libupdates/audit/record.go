package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// A Hash is the SHA-256 of a record.
type Hash [sha256.Size]byte

// String returns the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// A Record is one audit record of the chain.
type Record struct {
	Number   uint64 // in the chain, from 1 without gaps
	Previous Hash   // of the record before it; zero for number 1
	Sequence uint64 // in the journal
	Boot     uint32
	UnixMs   int64
	Sender   string
	Level    uint16
	Message  string
	Fields   []Field
}

// A Field is one structured value of a record.
type Field struct{ Key, Value string }

// domain begins what is hashed, so that no hash of the chain is the hash of anything else.
const domain = "nexus audit record v1\n"

// Hash returns the hash of a record: the SHA-256 of the domain, then number, previous hash, sequence, boot, time,
// level, sender, message, the number of fields, and each field's key and value. Numbers are little-endian of 8 bytes,
// and each text has its length in front of it.
func (r Record) Hash() (sum Hash) {
	w := writer{sha256.New()}
	w.Hash.Write([]byte(domain))
	w.number(r.Number)
	w.Hash.Write(r.Previous[:])
	w.number(r.Sequence)
	w.number(uint64(r.Boot))
	w.number(uint64(r.UnixMs))
	w.number(uint64(r.Level))
	w.text(r.Sender)
	w.text(r.Message)
	w.number(uint64(len(r.Fields)))
	for _, f := range r.Fields {
		w.text(f.Key)
		w.text(f.Value)
	}
	w.Sum(sum[:0])
	return sum
}

// A writer hashes values so that two different lists of values never give the same bytes.
type writer struct{ hash.Hash }

func (w writer) number(n uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	w.Hash.Write(b[:])
}

func (w writer) text(s string) {
	w.number(uint64(len(s)))
	w.Hash.Write([]byte(s))
}

// head returns the head of a chain that ends with this record.
func (r Record) head() Head { return Head{r.Number, r.Hash()} }

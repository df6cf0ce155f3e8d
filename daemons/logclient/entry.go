package logclient

import (
	"strings"

	"nexus/capnpgen/journal"
)

// maxFields bounds the fields of one entry (schema/journal.capnp). What is over is cut off.
const maxFields = 32

// roomFor returns what an entry of a kind may hold: message, keys and values together.
func roomFor(kind journal.Kind) budget {
	if kind == journal.Kind_crash {
		return budget(journal.MaxCrashBytes)
	}
	return budget(journal.MaxRecordBytes)
}

// An Entry is what a sender says: journal.Entry as a value. The zero Entry is an empty message.
type Entry struct {
	Level   journal.Level
	Kind    journal.Kind
	Message string
	Fields  []Field
}

// A Field is one structured value of an entry.
type Field struct {
	Key, Value string
}

// Value returns the value of the first field with this key, or "".
func (e Entry) Value(key string) string {
	for _, f := range e.Fields {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

// Bytes is what the bound counts: message, keys and values together.
func (e Entry) Bytes() int {
	n := len(e.Message)
	for _, f := range e.Fields {
		n += len(f.Key) + len(f.Value)
	}
	return n
}

// As returns the entry as one of this kind, within its bounds.
func (e Entry) As(kind journal.Kind) Entry {
	e.Kind = kind
	return e.cut()
}

// cut returns the entry within its bounds.
func (e Entry) cut() Entry {
	room := roomFor(e.Kind)
	kept := Entry{Level: e.Level, Kind: e.Kind, Message: take(&room, e.Message)}
	for _, f := range e.Fields[:min(len(e.Fields), maxFields)] {
		if room == 0 {
			break
		}
		kept.Fields = append(kept.Fields, Field{take(&room, f.Key), take(&room, f.Value)})
	}
	return kept
}

// A budget is how many bytes an entry may still hold.
type budget int

// take returns as much of the text as there is room for, as valid UTF-8. It holds on to none of what it cuts off.
func take[T string | []byte](room *budget, text T) string {
	n := min(len(text), int(*room))
	kept := strings.ToValidUTF8(strings.Clone(string(text[:n])), "?")
	*room -= budget(n)
	return kept
}

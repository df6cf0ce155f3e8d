package logclient

import (
	"errors"

	"nexus/capnpgen/journal"
)

// Encode fills m with the entry.
func (e Entry) Encode(m journal.Entry) error {
	m.SetLevel(e.Level)
	m.SetKind(e.Kind)
	if err := m.SetMessage_(e.Message); err != nil {
		return err
	}
	fields, err := m.NewFields(int32(len(e.Fields)))
	if err != nil {
		return err
	}
	for i, f := range e.Fields {
		field := fields.At(i)
		if err := errors.Join(field.SetKey(f.Key), field.SetValue(f.Value)); err != nil {
			return err
		}
	}
	return nil
}

// ReadEntry copies an entry out of a message, whoever sent it. It is cut to the bounds of an entry before anything is
// copied; levels that the schema does not know become the highest one, kinds that it does not know a plain message.
func ReadEntry(m journal.Entry) (Entry, error) {
	text, err := m.Message_Bytes()
	if err != nil {
		return Entry{}, err
	}
	kind := m.Kind()
	if kind > journal.Kind_crash {
		kind = journal.Kind_message
	}
	room := roomFor(kind)
	e := Entry{Level: min(m.Level(), journal.Level_error), Kind: kind, Message: take(&room, text)}
	fields, err := m.Fields()
	if err != nil {
		return Entry{}, err
	}
	for i := range min(fields.Len(), maxFields) {
		if room == 0 {
			break
		}
		f, err := readField(fields.At(i), &room)
		if err != nil {
			return Entry{}, err
		}
		e.Fields = append(e.Fields, f)
	}
	return e, nil
}

func readField(m journal.Field, room *budget) (Field, error) {
	key, err := m.KeyBytes()
	if err != nil {
		return Field{}, err
	}
	value, err := m.ValueBytes()
	if err != nil {
		return Field{}, err
	}
	return Field{take(room, key), take(room, value)}, nil
}

package bootctl

import (
	"errors"
	"fmt"
	"strings"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/libupdates/refusal"
)

// reader turns the parts of a message into values and keeps the first error, so that a caller reads field by field and
// asks once.
type reader struct{ err error }

func (d *reader) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *reader) slot(s bootrecord.Slot) Slot {
	if s > bootrecord.Slot_b {
		d.fail(fmt.Errorf("there is no slot %d", uint16(s)))
		return None
	}
	return Slot(s)
}

// cause reads one that only a newer version knows as Unknown: nothing depends on it.
func (d *reader) cause(c bootrecord.BootCause) Cause {
	if c > bootrecord.BootCause_power {
		return Unknown
	}
	return Cause(c)
}

// digest reads 32 bytes, or none for no set. 32 zero bytes are refused, so that "no set" has one form.
func (d *reader) digest(raw []byte, err error) Digest {
	var sum Digest
	switch {
	case err != nil:
		d.fail(err)
	case len(raw) == 0:
	case len(raw) != len(sum):
		d.fail(fmt.Errorf("a digest has %d bytes", len(raw)))
	default:
		copy(sum[:], raw)
		if sum.IsZero() {
			d.fail(errors.New("a digest is zero"))
		}
	}
	return sum
}

func (d *reader) text(s string, err error) string {
	if err != nil {
		d.fail(err)
	}
	return s
}

func (d *reader) reason(s string, err error) refusal.Reason { return refusal.Reason(d.text(s, err)) }

func (d *reader) content(c bootrecord.SlotContent, err error) Content {
	if err != nil {
		d.fail(err)
		return Content{}
	}
	return Content{
		Digest: d.digest(c.IndexSha256()), Version: d.text(c.SystemVersion()), Floor: d.text(c.VersionFloor()),
		Good:   c.Good(),
		Damage: d.reason(c.Damage()),
	}
}

func (d *reader) quarantined(q bootrecord.Quarantined) Quarantined {
	return Quarantined{Digest: d.digest(q.IndexSha256()), Version: d.text(q.SystemVersion()),
		Reason: d.reason(q.Reason())}
}

func (d *reader) event(e bootrecord.Event) Event {
	return Event{
		Op:      Op(d.text(e.Op())),
		Slot:    d.slot(e.Slot()),
		Version: d.text(e.SystemVersion()),
		Digest:  d.digest(e.IndexSha256()),
		Reason:  d.reason(e.Reason()),
		Detail:  d.text(e.Detail()),
		Boot:    e.Boot(),
		UnixMs:  e.UnixMs(),
	}
}

func (d *reader) rollback(b bootrecord.Rollback, err error) *Rollback {
	if err != nil {
		d.fail(err)
		return nil
	}
	if !b.IsValid() {
		return nil
	}
	return &Rollback{
		Reason:  d.reason(b.Reason()),
		Detail:  d.text(b.Detail()),
		Digest:  d.digest(b.IndexSha256()),
		Version: d.text(b.SystemVersion()),
		Output:  d.lines(b.Output()),
		Refused: d.lines(b.Refused()),
	}
}

// lines joins a list of texts, none of which has a line end.
func (d *reader) lines(list capnp.TextList, err error) string {
	if err != nil {
		d.fail(err)
		return ""
	}
	if list.Len() > maxOutputLines {
		d.fail(fmt.Errorf("%d lines are over %d", list.Len(), maxOutputLines))
		return ""
	}
	var lines []string
	for i := range list.Len() {
		line := d.text(list.At(i))
		if strings.Contains(line, "\n") {
			d.fail(errors.New("a line has a line end"))
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func (d *reader) quarantine(list bootrecord.Quarantined_List, err error) []Quarantined {
	return readList(d, "quarantine", MaxQuarantine, list, err, d.quarantined)
}

func (d *reader) history(list bootrecord.Event_List, err error) []Event {
	return readList(d, "history", MaxHistory, list, err, d.event)
}

// structList is the interface of generated list types.
type structList[S any] interface {
	Len() int
	At(i int) S
}

// readList reads a list of at most limit structs. The limit is checked before a value is made.
func readList[S, V any](d *reader, what string, limit int, list structList[S], err error, read func(S) V) []V {
	if err != nil {
		d.fail(err)
		return nil
	}
	if list.Len() > limit {
		d.fail(fmt.Errorf("%s has %d entries", what, list.Len()))
		return nil
	}
	var values []V
	for i := range list.Len() {
		values = append(values, read(list.At(i)))
	}
	return values
}

package slots_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/updatestest"
)

// stageHolding stages a set whose payload does not come, and returns how much of it the device says that it has. No
// payload is read once it has said so.
func stageHolding(t *testing.T, d *durabletest.Disk, s *slots.Store, raw, payload []byte) (had int64, err error) {
	t.Helper()
	head, tail, _ := bytes.Cut(raw, payload)
	due, before := &due{}, 0
	from := io.MultiReader(bytes.NewReader(head), due, bytes.NewReader(tail))
	_, err = s.Stage(t.Context(), bootctl.B, nxs.NewReader(from, int64(len(raw)), nxs.DefaultLimits(), verify),
		slots.StageOptions{Resume: true, Begun: func(here slots.Here) {
			before = len(d.Ops())
			due.begin = func() (_ io.Reader, err error) {
				_, had, err = here.Have(nxs.Sum(payload))
				return updatestest.Held(payload), err
			}
		}})
	for _, op := range d.Ops()[before:] {
		if strings.HasPrefix(op, "read ") && strings.HasSuffix(op, "/payload.elf") {
			t.Errorf("%s, a second time", op)
		}
	}
	return had, err
}

// A payload that a slot holds is read once, and need not come, whether the set is new or in the slot already. Where it
// is damaged, the device says that it has nothing; then nothing can stand in for it, and what is on disk stays as it
// was.
func TestHeldPayloadDoesNotCome(t *testing.T) {
	raw, payload := long(t)
	key := updatestest.Key(1)
	next := updatestest.Archive(t, key, "2.1.0", updatestest.Bundle("long", "2.0.0", nil, payload, key))
	for name, set := range map[string][]byte{"another set": next, "the same set": raw} {
		d := durabletest.New()
		s := open(t, d)
		mustStage(t, s, bootctl.A, raw)
		had, err := stageHolding(t, d, s, set, payload)
		must(t, err)
		if had != int64(len(payload)) {
			t.Errorf("%s: %d bytes are held", name, had)
		}
		must(t, s.Verify(bootctl.B, held(s, bootctl.B), verify))
	}

	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.A, raw)
	damage(t, d, "long.nxb/payload.elf", func(b []byte) []byte { return damaged(b, block) })
	before := d.Snapshot()
	had, err := stageHolding(t, d, s, next, payload)
	if had != 0 || !errors.Is(err, nxs.ErrHeld) || refusal.Of(err) != refusal.IO {
		t.Errorf("damaged: %d bytes are held, %v", had, err)
	}
	wantSame(t, d, before)
}

package nxs_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// A source may stand in for a whole payload. The rest of the archive is read, and counted, as if the bytes had come.
func TestHeldPayload(t *testing.T) {
	raw, payload := smallArchive(t), small()[0].Payload
	at := bytes.Index(raw, payload)
	for _, read := range []bool{true, false} {
		r := nxs.NewReader(io.MultiReader(bytes.NewReader(raw[:at]), updatestest.Held(payload),
			bytes.NewReader(raw[at+len(payload):])), int64(len(raw)), nxs.DefaultLimits(), verify)
		if _, err := r.Open(); err != nil {
			t.Fatal(err)
		}
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; read && i < 2; i++ {
			if n, err := b.Payload.Read(make([]byte, 1)); n != 0 || err != nxs.ErrHeld {
				t.Errorf("got %d bytes, %v", n, err)
			}
		}
		for _, want := range []error{nil, io.EOF, io.EOF} {
			if _, err := r.Next(); err != want {
				t.Fatalf("got %v, want %v", err, want)
			}
		}
		if r.Offset() != int64(len(raw)) {
			t.Errorf("%d of %d bytes were read", r.Offset(), len(raw))
		}
	}
}

// Nothing but a whole payload, where it is due, can be stood in for.
func TestHeldElsewhere(t *testing.T) {
	raw, payload := smallArchive(t), small()[0].Payload
	at := bytes.Index(raw, payload)
	for name, c := range map[string]struct {
		at, size int
		payload  []byte
	}{
		"for the index":               {512, 0, payload},
		"for a header":                {at - 512, 0, payload},
		"for the rest of a payload":   {at + 1, len(payload) - 1, payload},
		"behind a payload":            {at + len(payload), 0, payload},
		"for another payload":         {at, len(payload), []byte("another")},
		"for an empty payload's rest": {len(raw) - 1024, 0, nil},
		"behind the end":              {len(raw), 0, payload},
	} {
		_, err := readSet(io.MultiReader(bytes.NewReader(raw[:c.at]), updatestest.Held(c.payload),
			bytes.NewReader(raw[c.at+c.size:])), int64(len(raw)), nxs.DefaultLimits())
		if refusal.Of(err) != refusal.BadArchive || errors.Is(err, nxs.ErrHeld) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

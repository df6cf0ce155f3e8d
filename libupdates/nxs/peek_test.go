package nxs_test

import (
	"bytes"
	"reflect"
	"testing"

	"nexus/libupdates/nxs"
)

// Peek returns the same as Inspect and does not read payloads.
func TestPeek(t *testing.T) {
	raw := smallArchive(t)
	want, err := nxs.Inspect(t.Context(), bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	raw[place(t, 3)+512] ^= 1 // in a payload
	got, err := nxs.Peek(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, c := range hostileArchives(t) {
		if _, err := nxs.Peek(bytes.NewReader(c.raw), int64(len(c.raw)), nxs.DefaultLimits()); err == nil &&
			c.want == "bad-archive" && c.name != "padding after the payload" {
			t.Errorf("%s: taken", c.name)
		}
	}
}

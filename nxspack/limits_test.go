package nxspack

import (
	"io"
	"testing"

	"nexus/libupdates/nxs"
)

// Without limit flags, the limits are exactly those of a device without a policy of its own.
func TestDefaultLimits(t *testing.T) {
	c := &command{name: "test", stdout: io.Discard, stderr: io.Discard}
	var set setGrammar
	if _, _, err := c.parse(t.Context(), &set, []string{"--input", "i", "--meta", "m", "--key", "k", "--output",
		"o"}); err != nil {
		t.Fatal(err)
	}
	var bundle bundleGrammar
	if _, _, err := c.parse(t.Context(), &bundle, []string{"payload", "out.nxb"}); err != nil {
		t.Fatal(err)
	}
	want := nxs.DefaultLimits()
	if got := set.Pack.limits(); got != want {
		t.Errorf("pack: got %+v, want %+v", got, want)
	}
	if got := int64(bundle.LimitPayload); got != want.Payload {
		t.Errorf("bundle: got %d, want %d", got, want.Payload)
	}
}

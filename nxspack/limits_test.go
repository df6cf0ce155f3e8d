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

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "1048576": 1 << 20, "500MB": 500e6, "2GiB": 2 << 30, "16GiB": 16 << 30, "17179869184": 16 << 30,
		"17179869185": 0, "17GiB": 0, "0": 0, "0.5": 0, "-1": 0, "": 0, "GiB": 0, "much": 0, "1 1": 0,
		"99999999999999999999": 0,
	} {
		var got size
		if err := got.UnmarshalText([]byte(text)); int64(got) != want || (err == nil) != (want != 0) {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
}

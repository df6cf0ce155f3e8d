package nxs

import (
	"bytes"
	"testing"
)

// Sizes up to the largest policy, over eleven octal digits and over what base-256 writers keep for themselves.
func TestHeaderSizes(t *testing.T) {
	for _, size := range []int64{0, 1, 511, 512, 8<<30 - 1, 8 << 30, MaxPolicy - 1, MaxPolicy} {
		var out bytes.Buffer
		if err := writeHeader(&out, "alpha.nxb/payload.elf", size); err != nil {
			t.Fatal(err)
		}
		h, err := parseHeader((*[blockSize]byte)(out.Bytes()))
		if err != nil || h.size != size || h.name != "alpha.nxb/payload.elf" || h.dir {
			t.Errorf("%d: got %+v, %v", size, h, err)
		}
	}
}

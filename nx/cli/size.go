package cli

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"nexus/libupdates/nxs"
)

// A size is a number of bytes on the command line: `2GiB`, `500MB`, `1048576`.
type size int64

// UnmarshalText reads a size of 1 byte to 16 GiB, the bounds of a policy.
func (s *size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil {
		return fmt.Errorf("cannot use size %q: want a number with a unit, as 2GiB", text)
	}
	if n < 1 || n > nxs.MaxPolicy {
		return fmt.Errorf("cannot use size %q: it must be 1 byte to 16 GiB", text)
	}
	*s = size(n)
	return nil
}

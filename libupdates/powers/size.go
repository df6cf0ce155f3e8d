package powers

import (
	"strconv"
	"strings"

	"nexus/libupdates/refusal"
)

// Bounds of a quota, in bytes.
const (
	MinState = 1 << 20
	MaxState = 16 << 30
)

const (
	mebi = 1 << 20
	gibi = 1 << 30
)

// ParseSize parses a quota: 1MiB to 16GiB, in whole MiB or GiB, in the form of formatSize.
func ParseSize(text string) (int64, error) {
	number, unit := text, int64(0)
	if n, ok := strings.CutSuffix(text, "MiB"); ok {
		number, unit = n, mebi
	} else if n, ok := strings.CutSuffix(text, "GiB"); ok {
		number, unit = n, gibi
	}
	n, err := strconv.ParseInt(number, 10, 32)
	size := n * unit
	if err != nil || size < MinState || size > MaxState {
		return 0, refusal.New(refusal.BadPower, "%q is not a size from 1MiB to 16GiB, such as 64MiB", text)
	}
	if form := formatSize(size); form != text {
		return 0, refusal.New(refusal.BadPower, "%q has to be written as %s", text, form)
	}
	return size, nil
}

// formatSize returns the one text that ParseSize accepts for a size.
func formatSize(size int64) string {
	if size%gibi == 0 {
		return strconv.FormatInt(size/gibi, 10) + "GiB"
	}
	return strconv.FormatInt(size/mebi, 10) + "MiB"
}

package lint

import "math/bits"

func idRules() []Rule {
	return []Rule{
		{"id-random", "ids come from `capnp id`",
			"invented ids (a repeated byte, counting digits) collide with other invented ids", idRandom},
	}
}

func idRandom(c *checker) {
	for _, f := range c.surface.Files {
		if why := madeUp(f.ID); why != "" {
			c.add(f.Symbol(), f.Class, "the file's id %#x %s", f.ID, why)
		}
	}
	for n := range c.surface.All {
		if why := madeUp(n.ID); why != "" {
			c.add(n.Symbol(), n.Class, "the id %#x %s", n.ID, why)
		}
	}
}

// madeUp returns why an id does not look random, or "". Fewer than one in a thousand random ids look so.
func madeUp(id uint64) string {
	var digits, high, low []int
	seen := map[byte]int{}
	for i := 7; i >= 0; i-- {
		b := byte(id >> (8 * i))
		seen[b]++
		digits = append(digits, int(b>>4), int(b&15))
		high, low = append(high, int(b>>4)), append(low, int(b&15))
	}
	ones := bits.OnesCount64(id)
	switch {
	case len(seen) <= 5:
		return "repeats bytes"
	case ones < 14 || ones > 50:
		return "has hardly any bits of one kind"
	case longestRow(digits) >= 6, longestRow(high) >= 5, longestRow(low) >= 5:
		return "has digits that count or repeat"
	}
	return ""
}

// longestRow returns the length of the longest sequence of digits in which each differs from the previous one by the
// same step of -1, 0 or 1.
func longestRow(digits []int) int {
	longest, length, step := 1, 1, 2
	for i := 1; i < len(digits); i++ {
		switch d := digits[i] - digits[i-1]; {
		case d < -1 || d > 1:
			length, step = 1, 2
		case d == step:
			length++
		default:
			length, step = 2, d
		}
		longest = max(longest, length)
	}
	return longest
}

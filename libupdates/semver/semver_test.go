package semver_test

import (
	"cmp"
	"fmt"
	"math/big"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"nexus/libupdates/semver"
)

// Each version precedes the one on the next line; those on the same line are equal.
func TestCompareOrdersAscending(t *testing.T) {
	const two64 = "18446744073709551616"
	ascending := [][]string{
		{"0.0.0-0", "0.0.0-0+x"},
		{"0.0.0"},
		{"1.0.0-0"},
		{"1.0.0-9"},
		{"1.0.0-10"},
		{"1.0.0-18446744073709551615"},
		{"1.0.0-" + two64},
		{"1.0.0-99999999999999999999"},
		{"1.0.0-100000000000000000000"},
		{"1.0.0--"},
		{"1.0.0-0a"}, // digits with a letter are no number
		{"1.0.0-alpha"},
		{"1.0.0-alpha.1"},
		{"1.0.0-alpha.2"},
		{"1.0.0-alpha." + two64},
		{"1.0.0-alpha.beta"},
		{"1.0.0-beta"},
		{"1.0.0-beta.2"},
		{"1.0.0-beta.11"},
		{"1.0.0-rc.1", "1.0.0-rc.1+20130313144700"},
		{"1.0.0", "1.0.0+build", "1.0.0+0001"},
		{"1.0.18446744073709551615"},
		{"1.0." + two64, "1.0." + two64 + "+21AF26D3---117B344092BD"},
		{"1.1.0"},
		{"9.0.0"},
		{"10.0.0"},
		{two64 + ".0.0-1"},
		{two64 + ".0.0"},
		{"99999999999999999999.0.0"},
		{"100000000000000000000.0.0"},
	}
	for i, left := range ascending {
		for j, right := range ascending {
			for _, a := range left {
				for _, b := range right {
					if got, want := semver.Compare(a, b), cmp.Compare(i, j); got != want {
						t.Errorf("%s and %s: got %d, want %d", a, b, got, want)
					}
				}
			}
		}
	}
}

func TestValid(t *testing.T) {
	for _, text := range []string{
		"0.0.0", "1.2.3", "10.20.30", "1.1.2-prerelease+meta", "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay",
		"1.2.3----RC-SNAPSHOT.12.9.1--.12",
		"1.0.0-0A.is.legal", "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
		"99999999999999999999999.999999999999999999.99999999999999999", "1.0.0-18446744073709551616", "1.0.0+-",
	} {
		if !semver.Valid(text) {
			t.Errorf("%q is refused", text)
		}
	}
	for _, text := range []string{
		"", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.3-", "1.2.3+", "1.2.3-+", "1.2.3-+a", "01.2.3", "1.02.3", "1.2.03",
		"1.2.3-01", "1.2.3-a..b", "1.2.3-a.", "1.2.3+a..b",
		"1.2.3+a+b", "1.2.3-ä", "1.2.3 ", " 1.2.3", "1.2.3\n", "-1.2.3", "1.-2.3", "+1.2.3", "1.2.3-a_b", "1..3",
		".1.2", "1.2.", "1.2-a", "1.2+a", "1.2.3-\x00", "00.0.0",
	} {
		if semver.Valid(text) {
			t.Errorf("%q is taken", text)
		}
	}
}

// Numbers compare like big integers, whatever their length.
func TestCompareIsTheOrderOfBigIntegers(t *testing.T) {
	draw := rand.New(rand.NewPCG(2, 11))
	for range 50_000 {
		a, b := drawVersion(draw), drawVersion(draw)
		if draw.IntN(2) == 0 {
			b = neighbour(draw, a)
		}
		if !semver.Valid(a) || !semver.Valid(b) {
			t.Fatalf("%s or %s is refused", a, b)
		}
		if got, want := semver.Compare(a, b), ownOrder(a, b); got != want || semver.Compare(b, a) != -want {
			t.Fatalf("%s and %s: got %d, want %d", a, b, got, want)
		}
	}
}

// drawVersion returns a version from a few letters and from numbers around the sizes of machine words.
func drawVersion(draw *rand.Rand) string {
	number := func() string {
		n := new(big.Int).Lsh(big.NewInt(1), []uint{0, 3, 31, 32, 63, 64, 66, 100}[draw.IntN(8)])
		return n.Add(n, big.NewInt(int64(draw.IntN(3)-1))).String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s.%s.%s", number(), number(), number())
	for i := range draw.IntN(4) {
		b.WriteString([]string{"-", "."}[min(i, 1)])
		b.WriteString([]string{number(), "a", "b", "-", "a0", "0a"}[draw.IntN(6)])
	}
	if draw.IntN(4) == 0 {
		b.WriteString("+build." + number())
	}
	return b.String()
}

// neighbour changes one number of a version, or appends to it.
func neighbour(draw *rand.Rand, version string) string {
	version, _, _ = strings.Cut(version, "+")
	places := regexp.MustCompile(`\b[0-9]+\b`).FindAllStringIndex(version, -1)
	at := places[draw.IntN(len(places))]
	n, _ := new(big.Int).SetString(version[at[0]:at[1]], 10)
	n.Add(n, big.NewInt(1))
	return version[:at[0]] + n.String() + version[at[1]:]
}

// ownOrder implements section 11 a second time, with a regular expression and big integers.
func ownOrder(a, b string) int {
	form := regexp.MustCompile(`^([0-9]+)\.([0-9]+)\.([0-9]+)(?:-([^+]*))?(?:\+.*)?$`)
	left, right := form.FindStringSubmatch(a), form.FindStringSubmatch(b)
	for i := 1; i <= 3; i++ {
		if c := integer(left[i]).Cmp(integer(right[i])); c != 0 {
			return c
		}
	}
	if left[4] == "" || right[4] == "" {
		return cmp.Compare(len(right[4]), len(left[4]))
	}
	x, y := strings.Split(left[4], "."), strings.Split(right[4], ".")
	for i := range max(len(x), len(y)) {
		if i == len(x) {
			return -1
		}
		if i == len(y) {
			return 1
		}
		m, n := integer(x[i]), integer(y[i])
		switch {
		case m != nil && n != nil:
			if c := m.Cmp(n); c != 0 {
				return c
			}
		case m != nil:
			return -1
		case n != nil:
			return 1
		case x[i] != y[i]:
			return cmp.Compare(x[i], y[i])
		}
	}
	return 0
}

// integer returns the number, or nil if the text is not one.
func integer(text string) *big.Int {
	if strings.Trim(text, "0123456789") != "" {
		return nil
	}
	n, _ := new(big.Int).SetString(text, 10)
	return n
}

// FuzzCompare: Compare is a total order on valid versions, and no text makes it panic.
func FuzzCompare(f *testing.F) {
	for _, seed := range [][2]string{{"1.0.0", "1.0.0-a"}, {"1.0.0-1.a", "1.0.0-a.1+b"}, {"", "."}, {"1", "1.2.3.4"},
		{"18446744073709551616.0.0", "1.0.0--"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		c := semver.Compare(a, b)
		if c != -semver.Compare(b, a) {
			t.Fatalf("%q and %q: it depends on which is first", a, b)
		}
		if semver.Valid(a) && semver.Valid(b) && c != ownOrder(a, b) {
			t.Fatalf("%q and %q: got %d", a, b, c)
		}
	})
}

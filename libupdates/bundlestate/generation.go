package bundlestate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nexus/libupdates/nxs"
)

// An Identity names a version of a bundle: equal only for the same manifest and payload. The zero value stands for a
// set that does not have the bundle.
type Identity [16]byte

// IdentityOf returns the identity of a bundle of a set.
func IdentityOf(e nxs.Entry) Identity {
	sum := sha256.Sum256(slices.Concat(e.ManifestSHA256[:], e.PayloadSHA256[:]))
	return Identity(sum[:len(Identity{})])
}

// A Generation is the state of one version of a bundle.
type Generation struct {
	Of    Identity
	Trial uint64 // the number of the trial that it began with
	N     uint64 // counts those that were imported into it
}

// String returns the name of the generation.
func (g Generation) String() string { return fmt.Sprintf("%x.%d.%d", g.Of[:], g.Trial, g.N) }

// parseGeneration parses the name of a generation; only what String returns is one.
func parseGeneration(name string) (g Generation, ok bool) {
	parts := strings.Split(name, ".")
	if len(parts) != 3 {
		return g, false
	}
	raw, err := hex.DecodeString(parts[0])
	if err != nil || len(raw) != len(g.Of) {
		return g, false
	}
	g.Of = Identity(raw)
	for i, number := range []*uint64{&g.Trial, &g.N} {
		if *number, err = strconv.ParseUint(parts[1+i], 10, 64); err != nil {
			return g, false
		}
	}
	return g, g.String() == name
}

// generations returns those among names, oldest first.
func generations(names []string) (all []Generation) {
	for _, name := range names {
		if g, ok := parseGeneration(name); ok {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, Generation.compare)
	return all
}

// compare orders generations by their age.
func (g Generation) compare(other Generation) int {
	return cmp.Or(cmp.Compare(g.Trial, other.Trial), cmp.Compare(g.N, other.N),
		strings.Compare(string(g.Of[:]), string(other.Of[:])))
}

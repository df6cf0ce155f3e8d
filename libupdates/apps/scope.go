package apps

import (
	"strings"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// A Scope says which packages somebody may change. The zero value is for all.
type Scope struct {
	patterns   []string // a bundle has to match each
	publishers []trust.PublicKey
}

// ParseScope reads `PATTERN`, or `PATTERN@KEY` with a public key in hex. A pattern is the name of a bundle, the
// beginning of names and `*`, or `*`.
func ParseScope(text string) (Scope, error) {
	pattern, key, keyed := strings.Cut(text, "@")
	var raw []byte
	if keyed {
		publisher, err := trust.ParsePublicFile("publisher.pub", []byte(key)) // bare hex is public here
		if err != nil {
			return Scope{}, refusal.New(refusal.BadKey, "cannot use publisher %.80q: %v", key, err)
		}
		raw = publisher[:]
	}
	return Scope{}.Within(pattern, raw)
}

// Within returns what the scope has in common with a pattern and a publisher; without one, with those of any publisher.
func (s Scope) Within(pattern string, publisher []byte) (Scope, error) {
	name, open := strings.CutSuffix(pattern, "*")
	if open {
		name += "x" // any name that the pattern matches begins like that
	}
	if err := nxb.CheckName(name); err != nil {
		return s, refusal.New(refusal.BadBundleName, "%.80q is neither a bundle's name nor the beginning of one and *",
			pattern)
	}
	next := Scope{append(s.patterns[:len(s.patterns):len(s.patterns)], pattern), s.publishers}
	if len(publisher) == 0 {
		return next, nil
	}
	var key trust.PublicKey
	if len(publisher) != len(key) {
		return s, refusal.New(refusal.BadKey, "the publisher has %d bytes, not %d", len(publisher), len(key))
	}
	copy(key[:], publisher)
	next.publishers = append(s.publishers[:len(s.publishers):len(s.publishers)], key)
	return next, nil
}

// IsLimited reports whether sets of some publishers are out of the scope.
func (s Scope) IsLimited() bool { return len(s.publishers) > 0 }

// HasName refuses, as NotGranted, a bundle of another name.
func (s Scope) HasName(name string) error {
	for _, pattern := range s.patterns {
		beginning, open := strings.CutSuffix(pattern, "*")
		if name != pattern && (!open || !strings.HasPrefix(name, beginning)) {
			return refusal.New(refusal.NotGranted, "this AppInstaller is for %s, not for %.64q", pattern, name)
		}
	}
	return nil
}

// Has refuses, as NotGranted, a set with bundles of other names, or of another publisher.
func (s Scope) Has(publisher trust.PublicKey, bundles []nxs.Entry) error {
	for _, b := range bundles {
		if err := s.HasName(b.Name); err != nil {
			return err
		}
	}
	for _, key := range s.publishers {
		if publisher != key {
			return refusal.New(refusal.NotGranted, "this AppInstaller is for sets that %s signed", key)
		}
	}
	return nil
}

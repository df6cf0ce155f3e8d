package chaos_test

import (
	"bytes"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/updatestest"
)

// A nature is what becomes of a boot attempt with a set.
type nature uint8

const (
	good  nature = iota // proves healthy
	exits               // its service ends, each time
	hangs               // is never done with starting: the deadline passes
	kills               // takes the machine down before there is a verdict
)

// The sets. Each has the nature that its major version says.
const (
	factory  = "1.0.0"
	newer    = "1.1.0"
	newest   = "1.2.0"
	exiting  = "2.0.0"
	hanging  = "3.0.0"
	deadly   = "4.0.0"
	nextGood = "1.9.0" // the update after all that went wrong

	// Sets of whole systems that carry a core.
	withCore        = "1.5.0"
	exitingWithCore = "2.5.0"
)

func natureOf(version string) nature {
	return map[byte]nature{'1': good, '2': exits, '3': hangs, '4': kills}[version[0]]
}

// A library has every set as an archive, and damaged ones.
type library struct {
	archives map[string][]byte
	versions map[nxs.Digest]string
}

// The ways in which an offered archive is damaged.
const (
	badSignature = "bad signature"
	badPayload   = "bad payload"
	cutShort     = "cut short"
	badTail      = "bad tail"
)

func newLibrary(t testing.TB) *library {
	l := &library{archives: map[string][]byte{}, versions: map[nxs.Digest]string{}}
	key := updatestest.Key(1)
	for _, version := range []string{factory, newer, newest, exiting, hanging, deadly, nextGood} {
		service := updatestest.Bundle("alpha.app", version, nil, []byte("program of "+version), key)
		data := updatestest.Bundle("beta", "1.0.0", nil, bytes.Repeat([]byte("b"), 600), key)
		raw := updatestest.Archive(t, key, version, service, data)
		l.archives[version] = raw
		index, err := updatestest.Index(key, version, service, data).Encode()
		if err != nil {
			t.Fatal(err)
		}
		l.versions[nxs.Sum(index)] = version
	}
	sound := l.archives[newer]
	l.archives[badSignature] = updatestest.Archive(t, updatestest.Key(2), newer)
	l.archives[badPayload] = flipped(sound, bytes.Index(sound, []byte("bbbb"))+599)
	l.archives[cutShort] = sound[:len(sound)-1024]
	l.archives[badTail] = flipped(sound, len(sound)-1)
	return l
}

// digest is that of a sound set.
func (l *library) digest(version string) nxs.Digest {
	for digest, v := range l.versions {
		if v == version {
			return digest
		}
	}
	return nxs.Digest{}
}

// flipped returns the bytes with one of them changed.
func flipped(raw []byte, at int) []byte {
	raw = bytes.Clone(raw)
	raw[at] ^= 0xff
	return raw
}

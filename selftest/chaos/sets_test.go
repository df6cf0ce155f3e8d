package chaos_test

import (
	"bytes"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/updatestest"
	"nexus/selftest/kit"
)

// A nature is the outcome of a boot attempt with a set.
type nature uint8

const (
	good   nature = iota // it becomes healthy
	exits                // its service exits each time
	hangs                // it stays in the starting state until the deadline
	starve               // it cannot be started on this machine
	kills                // it takes the machine down before the verdict
)

// The sets. The major version selects the nature.
const (
	factory  = "1.0.0"
	newer    = "1.1.0"
	newest   = "1.2.0"
	exiting  = "2.0.0"
	hanging  = "3.0.0"
	deadly   = "4.0.0"
	hindered = "5.0.0"
	nextGood = "1.9.0" // the update after all faults

	// Sets of whole systems, with a core.
	withCore        = "1.5.0"
	exitingWithCore = "2.5.0"
)

func natureOf(version string) nature {
	return map[byte]nature{'1': good, '2': exits, '3': hangs, '4': kills, '5': starve}[version[0]]
}

// A library holds every set as an archive, and the damaged archives.
type library struct {
	archives map[string][]byte
	versions map[nxs.Digest]string
}

// How a sent archive is damaged.
const (
	badSignature = "bad signature"
	badPayload   = "bad payload"
	cutShort     = "cut short"
	badTail      = "bad tail"
)

func newLibrary(t testing.TB) *library {
	l := &library{archives: map[string][]byte{}, versions: map[nxs.Digest]string{}}
	key := updatestest.Key(1)
	for _, version := range []string{factory, newer, newest, exiting, hanging, deadly, hindered,
		nextGood} {
		service := updatestest.Bundle("alpha.app", version, nil, []byte("program of "+version), key).Blocks()
		data := updatestest.Bundle("beta", "1.0.0", nil, bytes.Repeat([]byte("b"), 600), key)
		raw := updatestest.Archive(t, key, version, service, data)
		l.archives[version] = raw
		index, err := updatestest.Index(key, version, service, data).Encode()
		kit.Must(t, err)
		l.versions[nxs.Sum(index)] = version
	}
	sound := l.archives[newer]
	l.archives[badSignature] = updatestest.Archive(t, updatestest.Key(2), newer)
	l.archives[badPayload] = flipped(sound, bytes.Index(sound, []byte("bbbb"))+599)
	l.archives[cutShort] = sound[:len(sound)-1024]
	l.archives[badTail] = flipped(sound, len(sound)-1)
	return l
}

// digest returns the digest of a valid set.
func (l *library) digest(version string) nxs.Digest {
	for digest, v := range l.versions {
		if v == version {
			return digest
		}
	}
	return nxs.Digest{}
}

// flipped returns a copy of the bytes with one byte changed.
func flipped(raw []byte, at int) []byte {
	raw = bytes.Clone(raw)
	raw[at] ^= 0xff
	return raw
}

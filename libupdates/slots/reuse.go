package slots

import (
	"context"

	"nexus/libupdates/digest"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// An identity identifies a payload, whatever its name.
type identity struct {
	sum  nxs.Digest
	size int64
}

func identityOf(entry nxs.Entry) identity { return identity{entry.PayloadSHA256, entry.PayloadSize} }

// reusable finds the payloads of a set that are already in the slots, under whatever name, and returns their paths.
// Every byte of them has just been read and matches the digest. Damaged or unreadable payloads are left out; they come
// with the archive.
//
// A reused payload is one file with two names. Files of a set are never written again (only the names of files change),
// so what was verified under one name holds under the other, and the file exists until its last name is removed.
func (s *Store) reusable(in *incoming, index nxs.Index) (map[identity]string, error) {
	wanted := map[identity]bool{}
	for _, entry := range index.Bundles {
		wanted[identityOf(entry)] = entry.PayloadSize > 0
	}
	sets, err := s.sets()
	if err != nil {
		return nil, err
	}
	here := map[identity]string{}
	for _, set := range sets {
		held, err := set.index()
		if err != nil {
			continue
		}
		var candidates []*candidate
		for _, entry := range held.Bundles {
			if id := identityOf(entry); wanted[id] {
				wanted[id] = false
				candidates = append(candidates, &candidate{identity: id, path: payloadPath(set.dir(), entry.Name)})
			}
		}
		intact(in.ctx, s.fs, candidates)
		for _, c := range candidates {
			if wanted[c.identity] = !c.intact; c.intact {
				here[c.identity] = c.path
			}
		}
	}
	return here, in.ended()
}

// A candidate is a payload on disk that may be reused, if it is intact.
type candidate struct {
	identity
	path   string
	file   durable.ReadFile
	failed bool // damaged or unreadable
	intact bool // verified
}

// intact verifies the candidates in parallel until each is known to be intact or not. Canceling the context ends it
// early.
func intact(ctx context.Context, fs durable.ReadFS, all []*candidate) {
	for _, c := range all {
		file, err := fs.Open(c.path)
		if err != nil {
			c.failed = true
			continue
		}
		defer file.Close()
		c.file, c.failed = file, file.Size() != c.size
	}
	for open := true; open && ctx.Err() == nil; {
		var streams []digest.Stream
		for _, c := range all {
			if !c.failed && !c.intact {
				streams = append(streams, c.stream())
			}
		}
		open = digest.Run(ctx, streams) != nil // a failed one may have stopped others: repeat without it
	}
}

func (c *candidate) stream() digest.Stream {
	return digest.Stream{
		Size:  c.size,
		Kinds: digest.SHA256,
		Read: func(p []byte, off int64) error {
			n, err := c.file.ReadAt(p, off)
			if n == len(p) {
				return nil
			}
			c.failed = true
			return err
		},
		Check: func(sums digest.Sums) error {
			c.intact = c.sum == sums.SHA256
			c.failed = !c.intact
			if c.failed {
				return refusal.New(refusal.DigestMismatch, "digest mismatch in %s", c.path)
			}
			return nil
		},
	}
}

package slots

import (
	"context"
	"slices"
	"sync/atomic"

	"nexus/libupdates/digest"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
)

// An identity identifies a payload, whatever its name, by all that the index says of its bytes.
type identity struct {
	sum, verity nxs.Digest
	size        int64
}

func identityOf(entry nxs.Entry) identity {
	return identity{entry.PayloadSHA256, entry.PayloadVerity, entry.PayloadSize}
}

// reusable finds payloads that are already in the slots, under whatever name, and returns their paths: those of a set
// that is staged, and the bases of a delta.
// Every byte of them has just been read and verified against the index of that set. Damaged or unreadable payloads are
// left out; they come with the archive.
//
// A reused payload is one file with two names. Files of a set are never written again (only the names of files change),
// so what was verified under one name holds under the other, and the file exists until its last name is removed.
func (d disk) reusable(in *incoming, wanted []nxs.Entry) (map[identity]string, error) {
	sets, err := d.sets()
	if err != nil {
		return nil, err
	}
	here := map[identity]string{}
	for _, set := range sets {
		held, err := set.index()
		if err != nil {
			continue
		}
		candidates := set.candidates(held, wanted, here)
		intact(in.ctx, d, candidates)
		for _, c := range candidates {
			if c.intact {
				here[identityOf(c.wanted)] = c.path
			}
		}
	}
	return here, in.ended()
}

// candidates returns the payloads of this set that the wanted ones may be, and that are not here yet, each once. Only
// sets that were made before there were fs-verity digests lack one: their payloads may match, too.
func (s stored) candidates(held nxs.Index, wanted []nxs.Entry, here map[identity]string) (all []*candidate) {
	sought := map[identity]bool{}
	for _, one := range wanted {
		id := identityOf(one)
		if _, is := here[id]; is || sought[id] || id.size == 0 {
			continue
		}
		i := slices.IndexFunc(held.Bundles, func(e nxs.Entry) bool {
			return e.PayloadSHA256 == id.sum && e.PayloadSize == id.size
		})
		if i >= 0 {
			sought[id] = true
			all = append(all, &candidate{wanted: one, path: payloadPath(s.dir(), held.Bundles[i].Name)})
		}
	}
	return all
}

// A candidate is a payload on disk that may be reused, if it is intact.
type candidate struct {
	wanted nxs.Entry // it must be this one's payload
	path   string
	file   durable.ReadFile
	failed atomic.Bool // damaged or unreadable
	intact bool        // verified
}

// intact verifies the candidates in parallel until each is known to be intact or not. Canceling the context ends it
// early.
func intact(ctx context.Context, fs durable.ReadFS, all []*candidate) {
	for _, c := range all {
		file, err := fs.Open(c.path)
		if err != nil {
			c.failed.Store(true)
			continue
		}
		defer file.Close()
		c.file = file
		_, err = measure(c.wanted, c.path, file)
		c.failed.Store(err != nil || file.Size() != c.wanted.PayloadSize)
	}
	for open := true; open && ctx.Err() == nil; {
		var streams []digest.Stream
		for _, c := range all {
			if !c.failed.Load() && !c.intact {
				streams = append(streams, c.stream())
			}
		}
		open = digest.Run(ctx, streams) != nil // a failed one may have stopped others: repeat without it
	}
}

func (c *candidate) stream() digest.Stream {
	s := c.wanted.StreamOf(c.path, c.file)
	read, check := s.Read, s.Check
	s.Read = func(p []byte, off int64) error {
		err := read(p, off)
		if err != nil {
			c.failed.Store(true)
		}
		return err
	}
	s.Check = func(sums digest.Sums) error {
		err := check(sums)
		c.intact = err == nil
		c.failed.Store(!c.intact)
		return err
	}
	return s
}

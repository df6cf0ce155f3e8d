package cli

import (
	"time"
)

// sinceLayouts returns the forms of a time, each a prefix of the one before. Times are UTC, as in records.
func sinceLayouts() []string {
	return []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"}
}

// parseSince reads the time from which on records are wanted: a date, or a duration before now by the system's clock.
func (v *logVerb) parseSince() error {
	if v.Since == "" {
		return nil
	}
	if ago, err := time.ParseDuration(v.Since); err == nil && ago >= time.Millisecond {
		v.within = uint64(ago.Milliseconds())
		return nil
	}
	for _, layout := range sinceLayouts() {
		if t, err := time.Parse(layout, v.Since); err == nil && t.UnixMilli() > 0 {
			v.since = t.UnixMilli()
			return nil
		}
	}
	return wrongUsage("--since %q is no time (2006-01-02T15:04:05Z) and no duration (10m)", v.Since)
}

// shown remembers the last records that were shown. A follower that starts again gets some of them again, and a new
// journal may count from 1 again, so records are compared by number, time and sender.
type shown struct {
	places map[place]bool
	order  []place
}

type place struct {
	sequence uint64
	time     string
	sender   string
}

// maxShown is the number of records that are remembered.
const maxShown = 2 * maxRecords

// fresh returns the records that were not shown yet, and remembers them.
func (s *shown) fresh(records []record) []record {
	if s.places == nil {
		s.places = map[place]bool{}
	}
	var fresh []record
	for _, r := range records {
		p := place{r.Sequence, r.Time, r.Sender}
		if s.places[p] {
			continue
		}
		if len(s.order) >= maxShown {
			delete(s.places, s.order[0])
			s.order = s.order[1:]
		}
		s.places[p] = true
		s.order = append(s.order, p)
		fresh = append(fresh, r)
	}
	return fresh
}

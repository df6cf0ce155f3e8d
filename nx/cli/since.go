package cli

import (
	"time"
)

// sinceLayouts returns the forms of a time, each a prefix of the one before. Times are UTC, as in records.
func sinceLayouts() []string {
	return []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"}
}

// parseTimes reads the times between which records are wanted.
func (v *logShowVerb) parseTimes() (err error) {
	if v.Until != "" {
		if v.until, err = parseDate("--until", v.Until, ""); err != nil {
			return err
		}
	}
	if v.Since == "" {
		return nil
	}
	if ago, err := time.ParseDuration(v.Since); err == nil && ago >= time.Millisecond {
		v.within = uint64(ago.Milliseconds())
		return nil
	}
	v.since, err = parseDate("--since", v.Since, ", and not a duration (10m)")
	return err
}

// parseDate reads a date as milliseconds since 1970-01-01. nor says what else the text could have been.
func parseDate(flag, text, nor string) (int64, error) {
	for _, layout := range sinceLayouts() {
		if t, err := time.Parse(layout, text); err == nil && t.UnixMilli() > 0 {
			return t.UnixMilli(), nil
		}
	}
	return 0, wrongUsage("%s %q is not a time (2006-01-02T15:04:05Z)%s", flag, text, nor)
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

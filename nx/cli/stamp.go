package cli

import "time"

// A stamp is a time by the device's clock. Many devices start with a clock that does not know the date, and such a time
// is not shown as one.
type stamp struct {
	Time        *string `json:"time,omitempty"`        // RFC 3339, UTC, milliseconds; absent: not known
	ClockNotSet bool    `json:"clockNotSet,omitempty"` // the clock did not know the date
}

// firstTime is earlier than any time at which this program can run on a device whose clock was set: 2020-01-01.
const firstTime = 1_577_836_800_000

// stampOf converts milliseconds since 1970-01-01 UTC; 0 is no time.
func stampOf(unixMs int64) stamp {
	if unixMs == 0 {
		return stamp{}
	}
	text := timeText(unixMs)
	return stamp{&text, !clockSet(unixMs)}
}

func (s stamp) text() string {
	switch {
	case s.Time == nil:
		return "-"
	case s.ClockNotSet:
		return clockNotSet
	default:
		return *s.Time
	}
}

// clockNotSet is shown for the time of a device that does not know the date.
const clockNotSet = "clock-not-set"

func clockSet(unixMs int64) bool { return unixMs >= firstTime }

func timeText(unixMs int64) string {
	return time.UnixMilli(unixMs).UTC().Format("2006-01-02T15:04:05.000Z")
}

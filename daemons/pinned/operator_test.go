package pinned_test

import (
	"strings"
	"testing"
	"time"

	"nexus/daemons/pinned"
	"nexus/libupdates/updatestest"
)

// What one process writes of an operator, another reads.
func TestOperators(t *testing.T) {
	key := updatestest.Key(1).Public()
	for text, until := range map[string]time.Time{
		key.Text() + "=status":                                {},
		key.Text() + "=operator,until=2027-01-31":             time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
		key.Text() + "=stage,until=2027-01-31T12:00:00+02:00": time.Date(2027, 1, 31, 10, 0, 0, 0, time.UTC),
		"hex-public:" + key.String() + "=a,until=2027-01-31":  time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
	} {
		o, err := pinned.ParseOperator(text)
		if err != nil || o.Key != key || !o.Until.Equal(until) {
			t.Errorf("%s: got %+v, %v", text, o, err)
		}
		again, err := pinned.ParseOperator(o.String())
		if err != nil || again.Key != o.Key || again.Role != o.Role || !again.Until.Equal(o.Until) {
			t.Errorf("%s: read again it is %+v, %v", o, again, err)
		}
	}
	for _, text := range []string{"", "=", "=status", key.Text(), key.Text() + "=", "none=status",
		key.Text() + "=status,until=", key.Text() + "=status,until=tomorrow"} {
		if o, err := pinned.ParseOperator(text); err == nil {
			t.Errorf("%q is taken for %+v", text, o)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error has more than one line", text)
		}
	}
}

func TestOver(t *testing.T) {
	end := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	o := pinned.Operator{Until: end}
	if o.Over(end.Add(-1)) || !o.Over(end) || (pinned.Operator{}).Over(end) {
		t.Error("the time of an operator ends at another moment than it should")
	}
}

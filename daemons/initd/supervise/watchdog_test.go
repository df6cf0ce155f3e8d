package supervise

import (
	"testing"
	"time"
)

// A steppedClock fires each wait when the test says so, and notes how long it was to be.
type steppedClock struct{ waits []time.Duration }

func (c *steppedClock) Now() time.Time { return time.Time{} }
func (c *steppedClock) After(d time.Duration) <-chan time.Time {
	c.waits = append(c.waits, d)
	return make(chan time.Time)
}

// TestWatchdog answers some of the questions: `a` is an answer, `?` a question that is due.
func TestWatchdog(t *testing.T) {
	for _, c := range []struct {
		story string
		hung  bool
	}{
		{"????", false},
		{"?????", true},
		{"????a????", false},
		{"????a?????", true},
		{"?a?a?a?a?a?a", false},
		{"aaa????", false}, // answers cannot be saved up
		{"aaa?????", true},
	} {
		clock := &steppedClock{}
		dog, hung := newWatchdog(clock, 10*time.Second), false
		for _, step := range c.story {
			if step == 'a' {
				dog.answered()
			} else {
				hung = dog.hung()
			}
		}
		if hung != c.hung {
			t.Errorf("after %s: hung is %v, want %v", c.story, hung, c.hung)
		}
		for _, wait := range clock.waits {
			if wait != 2500*time.Millisecond {
				t.Errorf("%s: waits %v between two questions, want a quarter of the patience", c.story, wait)
			}
		}
	}
	if dog := newWatchdog(&steppedClock{}, 0); dog.due != nil {
		t.Error("without patience there is a watch")
	}
}

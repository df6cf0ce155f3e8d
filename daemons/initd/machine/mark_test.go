package machine

import (
	"testing"
	"time"

	"nexus/libupdates/bootctl"
)

// A page is memory in a test.
type page [512]uint64

func (p *page) Load(n int) uint64        { return p[n] }
func (p *page) Store(n int, word uint64) { p[n] = word }

// atNoon is when a machine of these tests was petted last.
func atNoon() time.Time { return time.Unix(1_700_000_000, 0) }

func running() mark { return mark{markRuns, atNoon(), 30 * time.Second} }

func TestCauseByTheMark(t *testing.T) {
	for _, c := range []struct {
		name  string
		mark  mark
		found bool
		after time.Duration // from the last pet to the kernel's start
		want  bootctl.Cause
	}{
		{"the memory is empty", mark{}, false, 0, bootctl.Power},
		{"it ran a moment ago", running(), true, time.Second, bootctl.Crash},
		{"it ran short of the watchdog's time ago", running(), true, 30*time.Second - 1, bootctl.Crash},
		{"it was petted the watchdog's time ago", running(), true, 30 * time.Second, bootctl.Watchdog},
		{"it hung", mark{markHangs, atNoon(), 30 * time.Second}, true, time.Second, bootctl.Watchdog},
		{"it ran, and the clock went back", running(), true, -time.Hour, bootctl.Crash},
		{"it ran without a watchdog", mark{markRuns, atNoon(), 0}, true, time.Hour, bootctl.Crash},
		{"it ended in order", mark{markEnds, atNoon(), 30 * time.Second}, true, time.Hour, bootctl.Commanded},
		{"a state that a newer version knows", mark{99, atNoon(), 30 * time.Second}, true, time.Second, bootctl.Crash},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.mark.cause(c.found, atNoon().Add(c.after)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// Whenever the end comes in the middle of a mark, the one before is read; and noise is no mark.
func TestAMarkIsWholeOrTheOneBefore(t *testing.T) {
	memory := &page{}
	if _, count := readMark(memory); count != 0 {
		t.Fatal("an empty page has a mark")
	}
	first, second := running(), mark{markHangs, atNoon().Add(time.Second), time.Minute}
	writeMark(memory, first, 1)
	for stop := range markWords {
		torn := *memory
		cut := &tornPage{page: &torn, left: stop}
		writeMark(cut, second, 2)
		if got, count := readMark(&torn); got != first || count != 1 {
			t.Fatalf("after %d words of the second: got %+v, %d", stop, got, count)
		}
	}
	writeMark(memory, second, 2)
	if got, count := readMark(memory); got != second || count != 2 {
		t.Errorf("got %+v, %d", got, count)
	}
	for word := range 2 * markCopy {
		for bit := range 64 {
			flipped := *memory
			flipped[word] ^= 1 << bit
			if got, count := readMark(&flipped); got != second && (got != first || count != 1) {
				t.Fatalf("bit %d of word %d: got %+v, %d", bit, word, got, count)
			}
		}
	}
	wipeMark(memory)
	if *memory != (page{}) {
		t.Error("something is left of a mark")
	}
}

// A tornPage takes so many words and no more.
type tornPage struct {
	*page
	left int
}

func (p *tornPage) Store(n int, word uint64) {
	if p.left > 0 {
		p.page.Store(n, word)
	}
	p.left--
}

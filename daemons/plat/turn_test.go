package plat

import (
	"os"
	"testing"
	"time"
)

func TestParseTurn(t *testing.T) {
	for _, c := range []struct {
		times, stat string
		want        Turn
		known       bool
	}{
		{"1000 2000 3\n", "7 (hello) R 1 7 7", Turn{1000, 2000, true}, true},
		{"1000 2000 3\n", "7 (hello) S 1 7 7", Turn{1000, 2000, false}, true},
		{"0 0 0\n", "7 (a) R (b) S 1", Turn{}, true},
		{"", "7 (hello) R 1", Turn{}, false},
		{"1000\n", "7 (hello) R 1", Turn{}, false},
		{"1000 2000 3\n", "", Turn{}, false},
		{"1000 2000 3\n", "7 (hello)", Turn{}, false},
		{"no number\n", "7 (hello) R 1", Turn{}, false},
	} {
		if got, known := parseTurn([]byte(c.times), []byte(c.stat)); got != c.want || known != c.known {
			t.Errorf("%q, %q: got %+v %v, want %+v %v", c.times, c.stat, got, known, c.want, c.known)
		}
	}
}

func TestTurnOf(t *testing.T) {
	before, known := TurnOf(os.Getpid())
	if !known {
		t.Skip("this kernel does not count how a process is let run")
	}
	if before.Waited < 0 || before.Waited > time.Hour {
		t.Errorf("got %+v", before)
	}
	if got, known := TurnOf(1 << 30); known {
		t.Errorf("of no process: %+v", got)
	}
}

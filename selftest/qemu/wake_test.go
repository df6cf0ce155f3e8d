package qemu

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestWaker checks that a machine whose first process is not seen in time is reset, at most maxWakes times, and that
// the console says so.
func TestWaker(t *testing.T) {
	for name, c := range map[string]struct {
		console []string // what each read returns; empty: more than a minute passes
		resets  int      // the machine's own resets, a while later
		want    int      // expected resets by the waker
		awake   int      // expected calls that report success
	}{
		"a kernel that hangs":          {[]string{"firmware\r\n"}, 0, maxWakes, 0},
		"one that hangs after a reset": {[]string{"firmware\r\ninit: first process on riscv64\r\n"}, 1, maxWakes, 0},
		"first process":                {[]string{"firmware\r\n", "init: first pro", "cess on riscv64\r\n"}, 0, 0, 0},
		"a reset that helps": {[]string{"firmware\r\n", "", "firmware\r\n", "init: first process\r\n"}, 0, 1,
			1},
		"byte by byte": {append([]string{"firmware\r\n", ""}, strings.Split("init: first process\r\n", "")...), 0, 1,
			1},
		"not at a line's begin": {[]string{"no init: first process\r\n"}, 0, maxWakes, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w *waker
				wakes, awake := 0, 0
				reads, console := make(chan string), &strings.Builder{}
				w = newWaker(lines(reads), time.Minute, func() {
					wakes++
					go w.started() // as on QEMU's event
				}, func() { awake++ })
				go io.Copy(console, w)
				w.started()
				for _, text := range c.console {
					if text == "" {
						time.Sleep(time.Minute + time.Second)
					} else {
						reads <- text
					}
				}
				time.Sleep(time.Second)
				for range c.resets {
					w.started()
				}
				time.Sleep(10 * time.Minute)
				close(reads)
				synctest.Wait()
				const line = "\r\n" + LineWake + "\r\n" // and then the output of the next start, from its beginning
				if said := console.String(); wakes != c.want || awake != c.awake ||
					strings.Count(said, line) != c.want || strings.Contains(said, "i"+line) {
					t.Errorf("%d resets, want %d, %d helped, want %d; the console:\n%s", wakes, c.want, awake, c.awake,
						console)
				}
			})
		})
	}
}

// TestWakerIsOver checks that the machine is not reset after its end.
func TestWakerIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaker(strings.NewReader(""), time.Minute, func() { t.Error("reset") }, nil)
		w.started()
		w.over()
		time.Sleep(time.Hour)
	})
}

// lines is a console that returns the lines sent to it. It ends when the channel is closed.
type lines chan string

func (l lines) Read(p []byte) (int, error) {
	text, more := <-l
	if !more {
		return 0, io.EOF
	}
	return copy(p, text), nil
}

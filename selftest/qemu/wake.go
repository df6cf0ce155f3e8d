package qemu

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"nexus/daemons/initd/machine"
)

// DefaultWake is how long a kernel may take until its first process. On an idle machine that takes a few seconds. If a
// kernel was only slow, the reset makes it start over.
const DefaultWake = 30 * time.Second

// maxWakes is how often a machine is reset because of its kernel. After that, the caller's own timeout applies.
const maxWakes = 2

// LineWake is added to the console for such a reset, as a line before the machine's next output.
const LineWake = "qemu: no first process, the machine is reset"

// A waker resets a machine whose kernel does not reach its first process. Under QEMU 7.2, with one thread for each of
// two processors, a riscv64 kernel hangs once in some hundred starts: one processor was seen beyond the end of its
// kernel stack, the other without page tables. That is no fault of the system under test, and the reset loses nothing,
// because the disk's driver is loaded by the first process.
//
// The waker is a reader of the console, because the first process is detected there. The console must therefore be
// read.
type waker struct {
	console io.Reader
	patient time.Duration
	reset   func()
	awake   func() // called if the first process appears after a reset

	mu    sync.Mutex
	line  []byte      // the last line of the console, as far as it has been read
	timer *time.Timer // runs from a start to the first process
	wakes int
	woken bool   // reset since the last first process
	say   []byte // for the console's reader, before anything else
}

func newWaker(console io.Reader, patient time.Duration, reset, awake func()) *waker {
	if patient == 0 {
		patient = DefaultWake
	}
	return &waker{console: console, patient: patient, reset: reset, awake: awake}
}

// wake is how long the kernel may take. One that a debugger has stopped takes as long as it likes.
func (m Machine) wake() time.Duration {
	if m.Debug {
		return math.MaxInt64
	}
	return m.Wake
}

// started records that the machine starts, for the first time or after a reset.
func (w *waker) started() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop()
	if w.wakes < maxWakes {
		w.timer = time.AfterFunc(w.patient, w.wake)
	}
}

// over stops waiting for the first process.
func (w *waker) over() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop()
}

func (w *waker) stop() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

// wake resets the machine, unless the first process has appeared meanwhile.
func (w *waker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil {
		return
	}
	w.stop()
	w.wakes++
	w.woken = true
	w.say = fmt.Appendf(w.say, "\r\n%s\r\n", LineWake)
	w.reset()
}

// Read reads the console. What is said of a reset comes before what was read after it, also by a read that had begun
// before: the line of the first process stays whole.
func (w *waker) Read(p []byte) (int, error) {
	if n := w.said(p); n > 0 {
		return n, nil
	}
	n, err := w.console.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.see(p[:n])
	if len(w.say) == 0 {
		return n, err
	}
	w.say = append(w.say, p[:n]...)
	return w.take(p), nil // an end of the console is met again
}

// said copies pending text into p.
func (w *waker) said(p []byte) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.take(p)
}

// take is said for a caller that holds the lock.
func (w *waker) take(p []byte) int {
	n := copy(p, w.say)
	w.say = w.say[n:]
	return n
}

// see looks for the first process in the console's output. The lock is held.
func (w *waker) see(text []byte) {
	for len(text) > 0 {
		part, rest, ends := bytes.Cut(text, []byte("\n"))
		if room := len(machine.LineFirst) - len(w.line); room > 0 {
			w.line = append(w.line, part[:min(room, len(part))]...)
		}
		if string(w.line) == machine.LineFirst {
			w.stop()
			if w.woken {
				w.awake()
				w.woken = false
			}
		}
		if ends {
			w.line = w.line[:0]
		}
		text = rest
	}
}

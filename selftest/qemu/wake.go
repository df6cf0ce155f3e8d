package qemu

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"nexus/daemons/initd/machine"
)

// DefaultWake is how long a kernel may take to its first process. One takes a few seconds on a machine that does
// nothing else, and one that was only slow loses what it had done so far.
const DefaultWake = 30 * time.Second

// maxWakes is how often a machine is reset for its kernel; after that it is left to whoever waits for it.
const maxWakes = 2

// LineWake is what the console gets for a reset of that kind, as a line of its own before what the machine says next.
const LineWake = "qemu: no first process, the machine is reset"

// A waker resets a machine whose kernel does not get to its first process. Under QEMU 7.2, with a thread for each of
// two processors, a riscv64 kernel hangs once in some hundred starts: one processor was seen beyond the end of its
// kernel stack, the other without page tables. That is no fault of what is tested, and nothing of the machine is lost:
// no driver of a disk is loaded before there is a first process.
//
// It is a reader of the console, since there the first process is seen: somebody has to read it.
type waker struct {
	console io.Reader
	patient time.Duration
	reset   func()
	awake   func() // after a reset, once there is a first process

	mu    sync.Mutex
	line  []byte      // the console's last line, as far as it is known
	timer *time.Timer // runs from a start to the first process
	wakes int
	woken bool   // since there was a first process
	say   []byte // for the console's reader
}

func newWaker(console io.Reader, patient time.Duration, reset, awake func()) *waker {
	if patient == 0 {
		patient = DefaultWake
	}
	return &waker{console: console, patient: patient, reset: reset, awake: awake}
}

// started says that the machine starts, anew or for the first time.
func (w *waker) started() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop()
	if w.wakes < maxWakes {
		w.timer = time.AfterFunc(w.patient, w.wake)
	}
}

// over says that there is nothing to wait for.
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

// wake resets the machine, unless its first process was seen while this was about to begin.
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

// Read reads the console.
func (w *waker) Read(p []byte) (int, error) {
	if n := w.said(p); n > 0 {
		return n, nil
	}
	n, err := w.console.Read(p)
	w.see(p[:n])
	if n == 0 {
		if n = w.said(p); n > 0 {
			return n, nil
		}
	}
	return n, err
}

// said is what the console's reader is told between what the machine says.
func (w *waker) said(p []byte) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := copy(p, w.say)
	w.say = w.say[n:]
	return n
}

// see looks for the first process among the lines.
func (w *waker) see(text []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
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

// Package console reads the console of a system, on this host or in a guest: it keeps the lines, waits for some of
// them, knows the markers of the update flow and the lines that no healthy system prints, and watches whole runs.
package console

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxLine bounds a line of a console, in bytes.
const maxLine = 1 << 20

// Each calls f with each line of a console, until its end or until f returns false. It returns why it could not read
// on, if that was not the end.
func Each(from io.Reader, f func(line string) bool) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if !f(strings.TrimRight(lines.Text(), "\r")) {
			return nil
		}
	}
	return lines.Err()
}

// kept is how many lines are kept.
const kept = 10_000

// Lines are the lines of the consoles of one system, across its runs.
type Lines struct {
	mu      sync.Mutex
	lines   []string
	dropped int           // lines that are no longer kept
	grown   chan struct{} // closed and replaced with each line, and at the end of a console
	over    bool          // the last console has ended
}

// Read takes lines from a console until its end. Each is shown on out, too, unless that is nil.
func (l *Lines) Read(console io.Reader, out io.Writer) {
	l.change(func() { l.over = false })
	Each(console, func(line string) bool {
		if out != nil {
			fmt.Fprintln(out, line)
		}
		l.change(func() {
			l.lines = append(l.lines, line)
			if extra := len(l.lines) - kept; extra > 0 {
				l.lines, l.dropped = slices.Delete(l.lines, 0, extra), l.dropped+extra
			}
		})
		return true
	})
	io.Copy(io.Discard, console) // what follows a line that was too long
	l.change(func() { l.over = true })
}

func (l *Lines) change(how func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	how()
	if l.grown != nil {
		close(l.grown)
	}
	l.grown = make(chan struct{})
}

// Shown returns the number of lines so far.
func (l *Lines) Shown() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped + len(l.lines)
}

// Since returns the lines, starting with that number.
func (l *Lines) Since(line int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines[max(0, min(line-l.dropped, len(l.lines))):])
}

// Count returns how many lines start with the text.
func (l *Lines) Count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Count(l.lines, text)
}

// Count returns how many lines start with the text.
func Count(lines []string, text string) (n int) {
	for _, line := range lines {
		if strings.HasPrefix(line, text) {
			n++
		}
	}
	return n
}

// Await waits until holds returns true for the lines so far, which it checks after each. It fails if the console ends
// before, or after the bound.
func (l *Lines) Await(bound time.Duration, what string, holds func(lines []string) (bool, error)) error {
	late := time.After(bound)
	for {
		l.mu.Lock()
		if l.grown == nil {
			l.grown = make(chan struct{})
		}
		lines, grown, over := slices.Clone(l.lines), l.grown, l.over
		l.mu.Unlock()
		if held, err := holds(lines); held || err != nil {
			return err
		}
		if over {
			return fmt.Errorf("the console ended without %s", what)
		}
		select {
		case <-grown:
		case <-late:
			return fmt.Errorf("timed out after %s waiting for %s", bound, what)
		}
	}
}

// Package watch sees a running system through the update flow: it shows the console live, holds every line against the
// ladder of markers, and ends the run at the first thing that is wrong. Whatever happens, the run ends, and nothing of
// the system is left behind.
package watch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"nexus/selftest/ladder"
)

// A System is a system that was started, on this host or in a guest.
type System interface {
	// Console is what it prints, to the end of it.
	Console() io.Reader
	// Stop asks it to stop.
	Stop()
	// Kill ends it at once, with all that belongs to it.
	Kill()
	// Wait returns how it ended, once the console has ended too: nil only when it stopped by itself, in good order.
	Wait() error
}

// A Watcher says what is wanted of a system.
type Watcher struct {
	Rungs       []string         // the markers, in order
	Boot        string           // how the first line of a boot begins; empty: boots are not told apart
	Boots       int              // how many boots are asked for; 0: one
	UntilMarker bool             // stop the system once the last marker was seen
	Timeout     <-chan time.Time // the run fails when it fires
	Interrupted <-chan os.Signal // and when a signal comes
	Patience    time.Duration    // how long the system may take to stop before it is killed
	Out         io.Writer        // where the console is shown
	Log         io.Writer        // where it is kept, too
}

// DefaultPatience is enough for a system to stop in good order.
const DefaultPatience = 10 * time.Second

// Run sees a system to its end and returns what was wrong, with the last lines of its console.
func (w *Watcher) Run(s System) error {
	c := &console{watcher: w, climber: ladder.New(w.Rungs), verdict: make(chan error, 1)}
	over := make(chan struct{})
	go func() { defer close(over); c.read(s.Console()) }()

	err := w.await(c.verdict, over)
	if err != nil || w.UntilMarker {
		s.Stop()
	}
	kill := time.AfterFunc(w.Patience, s.Kill)
	<-over
	endErr := s.Wait()
	kill.Stop()
	switch {
	case err != nil:
	case !c.climber.Done():
		err = fmt.Errorf("the system ended before %q", c.climber.Missing())
		if endErr != nil {
			err = fmt.Errorf("%w: %w", err, endErr)
		}
	case endErr != nil && !w.UntilMarker:
		err = fmt.Errorf("the system ended badly: %w", endErr)
	}
	if err != nil {
		return &Failure{err, c.last}
	}
	return nil
}

// await waits for the first thing that ends the run; nil means that nothing was wrong so far.
func (w *Watcher) await(verdict <-chan error, over <-chan struct{}) error {
	select {
	case err := <-verdict:
		return err
	case <-over:
		select {
		case err := <-verdict:
			return err
		default:
			return nil
		}
	case <-w.Timeout:
		return errors.New("time is up")
	case <-w.Interrupted:
		return errors.New("interrupted")
	}
}

// A Failure is a run that went wrong.
type Failure struct {
	error
	Last []string // the last lines of the console
}

// Unwrap returns what was wrong.
func (f *Failure) Unwrap() error { return f.error }

// lastLines is how many lines of the console a failure has.
const lastLines = 12

// maxLine bounds a line of a console.
const maxLine = 1 << 20

// A console is one that is being read.
type console struct {
	watcher *Watcher
	climber *ladder.Climber
	boots   int
	last    []string
	verdict chan error // gets one: what is wrong, or nil where the last marker ends the run
	given   bool
}

// read copies the console to its end, line by line. The line that decides is the last one that is looked at.
func (c *console) read(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		fmt.Fprintln(c.watcher.Out, line)
		if c.watcher.Log != nil {
			if _, err := fmt.Fprintln(c.watcher.Log, line); err != nil && !c.given {
				c.give(fmt.Errorf("cannot keep console: %w", err))
			}
		}
		if !c.given {
			c.look(line)
		}
	}
	if err := lines.Err(); err != nil && !c.given {
		c.give(fmt.Errorf("cannot read console: %w", err))
	}
	io.Copy(io.Discard, from)
}

func (c *console) look(line string) {
	c.last = append(c.last, line)
	c.last = c.last[max(0, len(c.last)-lastLines):]
	if what := Fault(line); what != "" {
		c.give(fmt.Errorf("%s: %s", what, line))
		return
	}
	if c.watcher.Boot != "" && strings.HasPrefix(line, c.watcher.Boot) {
		if c.boots++; c.boots > max(1, c.watcher.Boots) {
			c.give(fmt.Errorf("boot %d, which nobody asked for: %s", c.boots, line))
			return
		}
	}
	err := c.climber.Line(line)
	if err != nil || (c.climber.Done() && c.watcher.UntilMarker) {
		c.give(err)
	}
}

func (c *console) give(verdict error) {
	c.given = true
	c.verdict <- verdict
}

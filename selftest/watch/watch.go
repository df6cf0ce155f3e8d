// Package watch watches a running system during the update flow. It shows the console live, checks each line against
// the ladder of markers, and ends the run at the first error. In all cases the run ends and nothing of the system is
// left running.
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

// A System is a running system, on this host or in a guest.
type System interface {
	// Console returns the system's output, up to its end.
	Console() io.Reader
	// Stop asks the system to stop.
	Stop()
	// Kill ends the system at once, with all its processes.
	Kill()
	// Wait waits for the end of the system and its console. It returns nil only if the system stopped by itself, in
	// order.
	Wait() error
}

// A Watcher says what is expected of a system.
type Watcher struct {
	Rungs       []string         // the markers, in order
	Boot        string           // how the first line of a boot starts; empty: boots are not counted
	Boots       int              // how many boots are expected; 0: one
	UntilMarker bool             // stop the system after the last marker
	Timeout     <-chan time.Time // the run fails when it fires
	Interrupted <-chan os.Signal // the run fails when a signal arrives
	Patience    time.Duration    // how long the system may take to stop before it is killed
	Out         io.Writer        // where the console is shown
	Log         io.Writer        // where the console is recorded
}

// DefaultPatience is enough for a system to stop in good order.
const DefaultPatience = 10 * time.Second

// Run watches a system until its end. Its error is a Failure, with the last lines of the console.
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

// await waits for the first event that ends the run; nil means that there was no error so far.
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
		return errors.New("timed out")
	case <-w.Interrupted:
		return errors.New("interrupted")
	}
}

// A Failure is the error of a run.
type Failure struct {
	error
	Last []string // the last lines of the console
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.error }

// lastLines is the number of lines of the console in a failure.
const lastLines = 12

// maxLine bounds a line of a console, in bytes.
const maxLine = 1 << 20

// A console reads the console of a system.
type console struct {
	watcher *Watcher
	climber *ladder.Climber
	boots   int
	last    []string
	verdict chan error // gets one value: the error, or nil if the last marker ends the run
	given   bool
}

// read copies the console line by line until its end. It checks no more lines after the one that decided the run.
func (c *console) read(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		fmt.Fprintln(c.watcher.Out, line)
		if c.watcher.Log != nil {
			if _, err := fmt.Fprintln(c.watcher.Log, line); err != nil && !c.given {
				c.give(fmt.Errorf("cannot record console: %w", err))
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
			c.give(fmt.Errorf("unexpected boot %d: %s", c.boots, line))
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

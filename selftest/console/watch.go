package console

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
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

// A Watcher watches a run of a system during the update flow. It shows the console live, checks each line against the
// markers, and ends the run at the first error. In all cases the run ends and nothing of the system is left running.
type Watcher struct {
	Markers     []string         // in the expected order
	Boot        string           // how the first line of a boot starts; empty: boots are not counted
	Boots       int              // how many boots are expected; 0: one
	UntilMarker bool             // stop the system after the last marker
	Timeout     <-chan time.Time // the run fails when it fires
	Interrupted <-chan os.Signal // the run fails when a signal arrives
	Patience    time.Duration    // how long the system may take to stop before it is killed
	Out         io.Writer        // where the console is shown
	Log         io.Writer        // where the console is recorded; may be nil
}

// DefaultPatience is enough for a system to stop in good order.
const DefaultPatience = 10 * time.Second

// Run watches a system until its end. Its error is a Failure, with the last lines of the console.
func (w *Watcher) Run(s System) error {
	r := &run{watcher: w, expected: w.Markers, verdict: make(chan error, 1)}
	over := make(chan struct{})
	go func() { defer close(over); r.read(s.Console()) }()

	err := w.await(r.verdict, over)
	if err != nil || w.UntilMarker {
		s.Stop()
	}
	kill := time.AfterFunc(w.Patience, s.Kill)
	<-over
	endErr := s.Wait()
	kill.Stop()
	switch {
	case err != nil:
	case len(r.expected) > 0:
		err = fmt.Errorf("the system ended before %q", r.expected[0])
		if endErr != nil {
			err = fmt.Errorf("%w: %w", err, endErr)
		}
	case endErr != nil && !w.UntilMarker:
		err = fmt.Errorf("the system ended badly: %w", endErr)
	}
	if err != nil {
		return &Failure{err, r.last}
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

// A run reads the console of a system that is watched.
type run struct {
	watcher  *Watcher
	expected []string // the markers that have not been seen
	boots    int
	last     []string
	verdict  chan error // gets one value: the error, or nil if the last marker ends the run
	decided  bool
}

// read copies the console until its end. It checks no more lines after the one that decided the run.
func (r *run) read(from io.Reader) {
	err := Each(from, func(line string) bool {
		fmt.Fprintln(r.watcher.Out, line)
		if r.watcher.Log != nil {
			if _, err := fmt.Fprintln(r.watcher.Log, line); err != nil {
				r.decide(fmt.Errorf("cannot record console: %w", err))
			}
		}
		if !r.decided {
			r.look(line)
		}
		return true
	})
	if err != nil {
		r.decide(fmt.Errorf("cannot read console: %w", err))
	}
	io.Copy(io.Discard, from)
}

func (r *run) look(line string) {
	r.last = append(r.last, line)
	r.last = r.last[max(0, len(r.last)-lastLines):]
	if what := Fault(line); what != "" {
		r.decide(fmt.Errorf("%s: %s", what, line))
		return
	}
	if r.watcher.Boot != "" && strings.HasPrefix(line, r.watcher.Boot) {
		if r.boots++; r.boots > max(1, r.watcher.Boots) {
			r.decide(fmt.Errorf("unexpected boot %d: %s", r.boots, line))
			return
		}
	}
	var err error
	if r.expected, err = Climb(r.expected, line); err != nil || len(r.expected) == 0 && r.watcher.UntilMarker {
		r.decide(err)
	}
}

// decide gives the verdict on the run, once.
func (r *run) decide(verdict error) {
	if !r.decided {
		r.decided = true
		r.verdict <- verdict
	}
}

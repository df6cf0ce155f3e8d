package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"nexus/selftest/ladder"
)

// stopPatience is how long a system may take to stop in order before it is killed.
const stopPatience = 10 * time.Second

// A watcher runs one system and watches its console.
type watcher struct {
	timeout     <-chan time.Time
	interrupted <-chan os.Signal
	untilMarker bool
	out         io.Writer
}

// run starts the command and sees it to its end. Whatever happens, nothing of it is left behind.
func (w *watcher) run(command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	console, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the system: %w", err)
	}
	climber := ladder.New(ladder.OTA())
	said := make(chan error, 1)
	over := make(chan struct{})
	go func() {
		defer close(over)
		w.show(console, climber, said)
	}()

	watchErr := w.watch(said, over)
	if watchErr != nil || w.untilMarker {
		cmd.Process.Signal(syscall.SIGTERM)
	}
	kill := time.AfterFunc(stopPatience, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer kill.Stop()
	<-over
	exitErr := cmd.Wait()
	switch {
	case watchErr != nil:
		return watchErr
	case !climber.Done():
		return fmt.Errorf("the system ended before %q", climber.Missing())
	case exitErr != nil:
		return fmt.Errorf("the system ended badly: %w", exitErr)
	}
	fmt.Fprintf(w.out, "run: all %d markers seen, in order\n", len(ladder.OTA()))
	return nil
}

// show copies the console to its end, line by line, and holds each line against the ladder. It says, once, that a marker was wrong or,
// where that ends the run, that the last one was reached.
func (w *watcher) show(console io.Reader, climber *ladder.Climber, said chan<- error) {
	silent := false
	scanner := bufio.NewScanner(console)
	for scanner.Scan() {
		fmt.Fprintln(w.out, scanner.Text())
		if silent {
			continue
		}
		err := climber.Line(scanner.Text())
		if err != nil || (climber.Done() && w.untilMarker) {
			silent = true
			said <- err
		}
	}
}

// watch waits for the first thing that ends the run; nil means that it ended as it should.
func (w *watcher) watch(said <-chan error, over <-chan struct{}) error {
	select {
	case err := <-said:
		return err
	case <-over:
		select {
		case err := <-said:
			return err
		default:
			return nil
		}
	case <-w.timeout:
		return errors.New("time is up")
	case <-w.interrupted:
		return errors.New("interrupted")
	}
}

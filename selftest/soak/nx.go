package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"nexus/libupdates/refusal"
)

// verbBound is longer than any verb may take: a trial that runs into its deadline at every try, and a system that is starting.
const verbBound = 90 * time.Second

// A Verb is one run of nx.
type Verb struct {
	args    []string
	watched bool // it shows its progress, and then has no code for why it failed
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended

	mu     sync.Mutex
	shown  int // lines on standard error
	stderr bytes.Buffer
	stdout bytes.Buffer
}

// start begins a verb.
func (h *Host) start(watched bool, args ...string) (*Verb, error) {
	v := &Verb{args: args, watched: watched, done: make(chan struct{})}
	all := append([]string{"--dir", h.dir}, args...)
	if !watched {
		all = append([]string{"--json"}, all...)
	}
	v.cmd = exec.Command(filepath.Join(h.bin, "nx"), all...)
	v.cmd.Env = []string{"TMPDIR=" + h.tmp}
	v.cmd.Stdout = &v.stdout
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	v.cmd.Stderr = in
	if err := v.cmd.Start(); err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	in.Close()
	kill := time.AfterFunc(verbBound, func() { v.cmd.Process.Kill() })
	go func() {
		defer close(v.done)
		v.read(out)
		v.cmd.Wait()
		if !kill.Stop() {
			fmt.Fprintf(&v.stderr, "the verb did not end within %s\n", verbBound)
		}
	}()
	return v, nil
}

func (v *Verb) read(stderr io.ReadCloser) {
	defer stderr.Close()
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		v.mu.Lock()
		v.shown++
		fmt.Fprintln(&v.stderr, lines.Text())
		v.mu.Unlock()
	}
}

// progress is how many lines it has shown.
func (v *Verb) progress() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.shown
}

// ended tells whether it is over.
func (v *Verb) ended() bool {
	select {
	case <-v.done:
		return true
	default:
		return false
	}
}

// exit is its exit status, -1 when it was killed. Valid once it has ended.
func (v *Verb) exit() int { return v.cmd.ProcessState.ExitCode() }

// reason is why it failed, where it says so.
func (v *Verb) reason() refusal.Reason {
	var failure struct {
		Reason refusal.Reason `json:"reason"`
	}
	lines := bytes.Split(bytes.TrimSpace(v.stdout.Bytes()), []byte("\n"))
	json.Unmarshal(lines[len(lines)-1], &failure)
	return failure.Reason
}

func (v *Verb) String() string {
	text := fmt.Sprintf("nx %s: exit %d %s", strings.Join(v.args, " "), v.exit(), v.reason())
	if v.exit() != 0 {
		text += ": " + strings.ReplaceAll(strings.TrimSpace(v.stderr.String()), "\n", "; ")
	}
	return text
}

// ask runs a verb to its end and reads its answer.
func (h *Host) ask(answer any, args ...string) error {
	v, err := h.start(false, args...)
	if err != nil {
		return err
	}
	<-v.done
	if v.exit() != 0 {
		return errors.New(v.String())
	}
	if err := json.Unmarshal(v.stdout.Bytes(), answer); err != nil {
		return fmt.Errorf("cannot read the answer of nx %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

package kit

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
	"syscall"
	"time"

	"nexus/libupdates/refusal"
)

// An NX is the operator's program, for one system.
type NX struct {
	Bin  string              // the folder of nx
	Dir  string              // the system's folder
	Tmp  string              // TMPDIR; empty: the caller's
	User *syscall.Credential // nil: this process's user
}

// command returns nx as a process of the system's user.
func (n NX) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(n.Bin, "nx"), append([]string{"--dir", n.Dir}, args...)...)
	if n.Tmp != "" {
		cmd.Env = []string{"TMPDIR=" + n.Tmp}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: n.User}
	return cmd
}

// verbBound is longer than any verb may take, including a trial that reaches its deadline at every try, on a system
// that is just starting.
const verbBound = 5 * time.Minute

// A Verb is one run of nx.
type Verb struct {
	args    []string
	Watched bool // it shows its progress; its exit has no code for why it failed
	cmd     *exec.Cmd
	Done    chan struct{} // closed when it has ended
	Stdout  bytes.Buffer

	mu     sync.Mutex
	shown  int // lines on standard error
	stderr bytes.Buffer
}

// Start starts a verb. Unless watched, it answers in JSON.
func (n NX) Start(watched bool, args ...string) (*Verb, error) {
	v := &Verb{args: args, Watched: watched, Done: make(chan struct{})}
	if watched {
		v.cmd = n.command(args...)
	} else {
		v.cmd = n.command(append([]string{"--json"}, args...)...)
	}
	v.cmd.Stdout = &v.Stdout
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	v.cmd.Stderr = in
	if err := v.cmd.Start(); err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	in.Close()
	kill := time.AfterFunc(verbBound, v.Kill)
	go func() {
		defer close(v.Done)
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

// Kill kills it with SIGKILL.
func (v *Verb) Kill() { v.Signal(syscall.SIGKILL) }

// Signal sends it a signal.
func (v *Verb) Signal(s os.Signal) { v.cmd.Process.Signal(s) }

// PID returns its process id.
func (v *Verb) PID() int { return v.cmd.Process.Pid }

// Said returns its standard error so far.
func (v *Verb) Said() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.TrimSpace(v.stderr.String())
}

// Progress returns the number of lines it has shown.
func (v *Verb) Progress() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.shown
}

// Ended reports whether it has ended.
func (v *Verb) Ended() bool {
	select {
	case <-v.Done:
		return true
	default:
		return false
	}
}

// Exit returns its exit status, or -1 if it was killed. It is valid once the verb has ended.
func (v *Verb) Exit() int { return v.cmd.ProcessState.ExitCode() }

// Reason returns why it failed, if it says so.
func (v *Verb) Reason() refusal.Reason {
	var failure struct {
		Reason refusal.Reason `json:"reason"`
	}
	lines := bytes.Split(bytes.TrimSpace(v.Stdout.Bytes()), []byte("\n"))
	json.Unmarshal(lines[len(lines)-1], &failure)
	return failure.Reason
}

func (v *Verb) String() string {
	text := fmt.Sprintf("nx %s: exit %d %s", strings.Join(v.args, " "), v.Exit(), v.Reason())
	if v.Exit() != 0 {
		text += ": " + strings.ReplaceAll(v.Said(), "\n", "; ")
	}
	return text
}

// Run runs a verb to its end. It fails if the verb does, and returns it all the same.
func (n NX) Run(args ...string) (*Verb, error) {
	v, err := n.Start(false, args...)
	if err != nil {
		return nil, err
	}
	<-v.Done
	if v.Exit() != 0 {
		err = errors.New(v.String())
	}
	return v, err
}

// Ask runs a verb to its end and decodes its answer.
func (n NX) Ask(answer any, args ...string) error {
	v, err := n.Run(args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(v.Stdout.Bytes(), answer); err != nil {
		return fmt.Errorf("cannot read the answer of nx %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

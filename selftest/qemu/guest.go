package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"nexus/capnpgen/operator"
	"nexus/daemons/plat"
	"nexus/selftest/watch"
)

// A Guest is a machine that was started. It is a watch.System.
type Guest struct {
	process *watch.Process
	control *control
	waker   *waker
	way     *way
	sockets string // folder of QEMU's sockets, for us alone

	mu     sync.Mutex
	end    string   // how the machine ended, in QEMU's words; empty while it runs
	resets []string // why it started anew, in QEMU's words, in order
}

// Start starts a machine. Operators find it at the socket `control.sock` in dir; empty: they do not. The caller calls
// Wait.
func Start(m Machine, dir string) (*Guest, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("cannot start guest: %w", err)
	}
	sockets, err := socketFolder()
	if err != nil {
		return nil, fmt.Errorf("cannot start guest: %w", err)
	}
	g := &Guest{sockets: sockets}
	if err := g.start(m, dir); err != nil {
		g.close()
		return nil, fmt.Errorf("cannot start guest: %w", err)
	}
	return g, nil
}

// maxFolder is how long the path of a folder for sockets may be: a socket's address has 108 bytes (unix(7)).
const maxFolder = 90

// socketFolder makes a folder whose path is short, whatever that of the system is.
func socketFolder() (string, error) {
	parent := os.TempDir()
	if len(parent) > maxFolder-len("/nexus-guest-0123456789") {
		parent = "/tmp"
	}
	return os.MkdirTemp(parent, "nexus-guest-")
}

func (g *Guest) start(m Machine, dir string) error {
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	defer theirs.Close()
	socket, err := net.FileConn(ours)
	if err != nil {
		return err
	}
	g.way = newWay(portSocket(g.sockets))
	g.control = newControl(socket, g.event)
	if dir != "" {
		if err := g.way.listen(filepath.Join(dir, "control.sock")); err != nil {
			return err
		}
	}
	if g.process, err = watch.Start(m.Kernel.Emulator, m.args(g.sockets), []*os.File{theirs}); err != nil {
		return err
	}
	g.waker = newWaker(g.process.Console(), m.Wake, func() {
		g.control.onReboot(true) // also for the reset that firmware of amd64 follows this one with
		g.control.reset()
	}, func() { g.control.onReboot(m.Reboots) })
	g.waker.started()
	go g.control.run()
	go g.way.keep(g.process.Done())
	return nil
}

// event takes what QEMU says about the machine.
func (g *Guest) event(e event) {
	switch {
	case e.Name == "SHUTDOWN":
		g.mu.Lock()
		g.end = e.Data.Reason
		g.mu.Unlock()
	case e.Name == "RESET":
		g.mu.Lock()
		g.resets = append(g.resets, e.Data.Reason)
		g.mu.Unlock()
		g.waker.started()
	case e.Name == "VSERPORT_CHANGE" && e.Data.ID == portName && !e.Data.Open:
		g.way.again()
	}
}

// Console is what the guest prints on its first serial line.
func (g *Guest) Console() io.Reader { return g.waker }

// Operator is the guest's own, once it answers; the caller releases it.
func (g *Guest) Operator(ctx context.Context) (operator.Operator, error) {
	client, err := g.way.operator(ctx)
	return operator.Operator(client), err
}

// Port is this host's end of one of the machine's further ports.
func (g *Guest) Port(name string) (net.Conn, error) {
	return net.Dial("unix", filepath.Join(g.sockets, name))
}

// Shutdown asks the system in the guest to stop, as `nx shutdown` does; the guest then powers its machine off.
func (g *Guest) Shutdown(ctx context.Context) error {
	system, err := g.Operator(ctx)
	if err != nil {
		return err
	}
	defer system.Release()
	answer, release := system.Stop(ctx, nil)
	defer release()
	_, err = answer.Struct()
	return err
}

// Stop ends the machine as if its power were cut, but for what it has written to its disk: QEMU sees to that.
func (g *Guest) Stop() { g.control.quit() }

// Reset starts the machine anew, as by its reset button: the guest is not asked. Of its memory nothing is left.
func (g *Guest) Reset() { g.control.reset() }

// Resets are why the machine has started anew so far, in order and in QEMU's words: `guest-reset` where the guest asked
// for it, also by a panic or its watchdog, `host-qmp-system-reset` where Reset did.
func (g *Guest) Resets() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.resets)
}

// Kill ends QEMU at once: for the machine, its power is cut. What it has not written to its disk yet is lost.
func (g *Guest) Kill() { g.process.Kill() }

// Done is closed when QEMU has ended.
func (g *Guest) Done() <-chan struct{} { return g.process.Done() }

// errRestarted says why a machine ended that wanted to start again and was not to.
var errRestarted = errors.New("the guest restarted itself unexpectedly")

// Wait waits for QEMU's end and returns how the machine ended: nil when the guest has powered it off.
func (g *Guest) Wait() error {
	err := g.process.Wait()
	<-g.control.over
	g.close()
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err != nil:
		return fmt.Errorf("QEMU %w", err)
	// the test device that riscv64 is powered off by ends QEMU without a word
	case g.end == "guest-shutdown", g.end == "":
		return nil
	case g.end == "guest-reset", g.end == "guest-panic":
		return errRestarted
	default:
		return fmt.Errorf("QEMU stopped it (%s)", g.end)
	}
}

func (g *Guest) close() {
	if g.waker != nil {
		g.waker.over()
	}
	if g.way != nil {
		g.way.close()
	}
	if g.control != nil {
		g.control.close()
	}
	os.RemoveAll(g.sockets)
}

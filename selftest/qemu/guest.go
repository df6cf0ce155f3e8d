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
	"nexus/selftest/console"
)

// A Guest is a running machine. It implements console.System.
type Guest struct {
	process *console.Process
	control *control
	waker   *waker
	way     *way
	sockets string // folder of QEMU's sockets, private to this user

	mu     sync.Mutex
	end    string   // how the machine ended, in QEMU's terms; empty while it runs
	resets []string // why it was reset, in QEMU's terms, in order
}

// Start starts a machine. Operators reach it through the socket `control.sock` in dir, unless dir is empty. The caller
// must call Wait.
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

// maxFolder bounds the length of the path of the socket folder: the address of a socket has 108 bytes (unix(7)).
const maxFolder = 90

// socketFolder makes a folder with a short path, however long that of the system's folder is.
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
	if g.process, err = console.Start(m.Kernel.Emulator, m.args(g.sockets), []*os.File{theirs}); err != nil {
		return err
	}
	g.waker = newWaker(g.process.Console(), m.wake(), func() {
		g.control.onReboot(true) // also for the reset by amd64 firmware that follows this one
		g.control.reset()
	}, func() { g.control.onReboot(m.Reboots) })
	g.waker.started()
	go g.control.run()
	go g.way.keep(g.process.Done())
	return nil
}

// event handles an event of the machine.
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

// Console returns the output on the guest's first serial line.
func (g *Guest) Console() io.Reader { return g.waker }

// Operator waits for the guest's Operator and returns it. The caller releases it.
func (g *Guest) Operator(ctx context.Context) (operator.Operator, error) {
	client, err := g.way.operator(ctx)
	return operator.Operator(client), err
}

// Port returns this host's end of one of the machine's extra ports.
func (g *Guest) Port(name string) (net.Conn, error) {
	return net.Dial("unix", filepath.Join(g.sockets, name))
}

// Shutdown asks the system in the guest to stop, as `nx shutdown` does. The guest then powers the machine off.
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

// Stop ends the machine as a power cut would, except that what it has written to its disk is kept.
func (g *Guest) Stop() { g.control.quit() }

// Reset resets the machine, as its reset button would. The guest is not asked, and its memory is lost.
func (g *Guest) Reset() { g.control.reset() }

// Link plugs the machine's network in, or pulls it out.
func (g *Guest) Link(up bool) { g.control.link(up) }

// Resets returns why the machine was reset so far, in order and in QEMU's terms: `guest-reset` if the guest did it,
// including by a panic or its watchdog; `host-qmp-system-reset` for Reset.
func (g *Guest) Resets() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.resets)
}

// Kill kills QEMU, which is a power cut for the machine. What it has not written to its disk yet is lost.
func (g *Guest) Kill() { g.process.Kill() }

// Done is closed when QEMU has ended.
func (g *Guest) Done() <-chan struct{} { return g.process.Done() }

// errRestarted reports that a machine ended because it tried to restart and was not allowed to.
var errRestarted = errors.New("the guest restarted itself unexpectedly")

// Wait waits for QEMU's end. It returns nil if the guest powered the machine off.
func (g *Guest) Wait() error {
	err := g.process.Wait()
	<-g.control.over
	g.close()
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err != nil:
		return fmt.Errorf("QEMU %w", err)
	// The test device that powers riscv64 off ends QEMU without an event.
	case g.end == "guest-shutdown", g.end == "":
		return nil
	case g.end == "guest-reset", g.end == "guest-panic":
		return errRestarted
	default:
		return fmt.Errorf("the machine ended: %s", g.end)
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

package watch

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"nexus/daemons/plat"
)

// A Process is a system that runs as a process of this host, with its children.
type Process struct {
	process plat.Process
	console *os.File
}

// Start starts a command as a system. Its standard output is the console. It is killed when this process ends, however
// that happens.
func Start(path string, args []string, extra []*os.File) (*Process, error) {
	console, stdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	process, err := plat.NewSpawner().Spawn(plat.Command{
		Path: path, Argv: append([]string{path}, args...), Env: os.Environ(),
		Stdout: stdout, Stderr: os.Stderr, Extra: extra, DieWithParent: true,
	})
	if err != nil {
		console.Close()
		return nil, err
	}
	return &Process{process: process, console: console}, nil
}

// Console returns its standard output.
func (p *Process) Console() io.Reader { return p.console }

// Stop sends it SIGTERM.
func (p *Process) Stop() { p.process.Terminate() }

// Kill sends it SIGKILL.
func (p *Process) Kill() { p.process.Kill() }

// Done is closed when it has ended.
func (p *Process) Done() <-chan struct{} { return p.process.Done() }

// Wait waits until it has ended.
func (p *Process) Wait() error {
	<-p.process.Done()
	p.console.Close()
	exit := p.process.Exit()
	if exit.Signal != 0 {
		return fmt.Errorf("killed by signal %d (%s)", exit.Signal, syscall.Signal(exit.Signal))
	}
	if !exit.OK() {
		return fmt.Errorf("%s", exit)
	}
	return nil
}

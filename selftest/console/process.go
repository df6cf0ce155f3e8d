package console

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"nexus/daemons/plat"
)

// A Process is a system that runs as a process of this host, with its children.
type Process struct {
	plat.Process
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
	return &Process{process, console}, nil
}

// Console returns its standard output.
func (p *Process) Console() io.Reader { return p.console }

// Stop sends it SIGTERM.
func (p *Process) Stop() { p.Terminate() }

// Wait waits until it has ended.
func (p *Process) Wait() error {
	<-p.Done()
	p.console.Close()
	switch exit := p.Exit(); {
	case exit.Signal != 0:
		return fmt.Errorf("killed by signal %d (%s)", exit.Signal, syscall.Signal(exit.Signal))
	case !exit.OK():
		return fmt.Errorf("%s", exit)
	}
	return nil
}

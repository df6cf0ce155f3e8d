package cli

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/term"
)

// A Host is what the command touches of the machine, besides the files it is told to read and the control socket.
type Host struct {
	Stdout, Stderr io.Writer
	Terminal       bool                                        // whether Stderr is a terminal
	Getenv         func(name string) string                    // as os.Getenv
	Executable     func() (string, error)                      // as os.Executable
	Exec           func(path string, argv, env []string) error // as syscall.Exec: it returns only when it failed
}

// System is the machine the process runs on.
func System() Host {
	return Host{
		Stdout:     os.Stdout,
		Stderr:     os.Stderr,
		Terminal:   term.IsTerminal(int(os.Stderr.Fd())),
		Getenv:     os.Getenv,
		Executable: os.Executable,
		Exec:       syscall.Exec,
	}
}

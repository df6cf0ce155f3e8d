package cli

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/term"
)

// A Host is what the command uses of the machine, besides the control socket and the files that it is told to read.
type Host struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Terminal       bool // whether Stderr is a terminal
	// whether a person can be asked: Stdin and Stderr are terminals
	Asks       bool
	Getenv     func(name string) string                    // as os.Getenv
	Executable func() (string, error)                      // as os.Executable
	Exec       func(path string, argv, env []string) error // as syscall.Exec: it returns only when it failed
}

// System is the machine the process runs on.
func System() Host {
	terminal := term.IsTerminal(int(os.Stderr.Fd()))
	return Host{
		Stdin:      os.Stdin,
		Stdout:     os.Stdout,
		Stderr:     os.Stderr,
		Terminal:   terminal,
		Asks:       terminal && term.IsTerminal(int(os.Stdin.Fd())),
		Getenv:     os.Getenv,
		Executable: os.Executable,
		Exec:       syscall.Exec,
	}
}

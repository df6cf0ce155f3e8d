package plat

import (
	"errors"
	"slices"
	"syscall"
)

// A complaint is the error of a stage that did not execute the program.
type complaint struct {
	Text     string
	Executed syscall.Errno // the error of execve(2); 0: it was not called
}

func (c complaint) Error() string { return c.Text }

// ofProgram are the errors of execve(2) that are the fault of the program: an unknown format, or a missing interpreter.
// All others are the fault of the machine.
var ofProgram = []syscall.Errno{
	syscall.ENOEXEC, syscall.ELIBBAD, syscall.EINVAL, syscall.ENOENT, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP,
	syscall.ENAMETOOLONG,
	syscall.E2BIG,
}

// ProgramRefused reports whether a program failed to start through its own fault. Any other error is the machine's or
// the starter's: out of descriptors, memory or processes, or a measure that failed.
func ProgramRefused(err error) bool {
	var c complaint
	return errors.As(err, &c) && slices.Contains(ofProgram, c.Executed)
}

package plat

import (
	"errors"
	"slices"
	"syscall"
)

// A complaint is what the stage says when the program was not executed.
type complaint struct {
	Text     string
	Executed syscall.Errno // what execve(2) answered, where it came to that; 0: it did not
}

func (c complaint) Error() string { return c.Text }

// ofProgram are the answers of execve(2) that are about the program: no format the kernel knows, or an interpreter that
// is not there. All others are about the machine.
var ofProgram = []syscall.Errno{
	syscall.ENOEXEC, syscall.ELIBBAD, syscall.EINVAL, syscall.ENOENT, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP,
	syscall.ENAMETOOLONG,
	syscall.E2BIG,
}

// ProgramRefused tells whether a program could not be started for what it is. Every other error of starting one is the
// machine's or the starter's: no descriptor, no memory, no process, a measure that cannot be taken.
func ProgramRefused(err error) bool {
	var c complaint
	return errors.As(err, &c) && slices.Contains(ofProgram, c.Executed)
}

package plat

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// The stage is between the fork and a confined program. It is this very program once more, executed by the child that
// is to be confined: it takes its order from the starter over a socket, puts the confinement on itself, and executes
// the program in its own place. So nothing of the starter's is ever inside a confinement, and no code but this
// package's runs between the two.

// stageName is the argv[0] by which a program knows that it is to be the stage. The argument behind it is the
// descriptor of the socket.
const stageName = "nexus-confine"

// ownProgram is the program that runs, wherever it is: on a disk, in memory, or removed since.
const ownProgram = "/proc/self/exe"

// hasStage reports whether this program can be the stage.
var hasStage atomic.Bool

// An order is what the stage is to do.
type order struct {
	Confinement Confinement
	Kernel      kernel // as the starter saw it: what it counts on is put on, or the start fails
	Path        string
	Argv, Env   []string
	Parent      int            // the starter
	ParentsEnd  syscall.Signal // what the program gets when the starter ends; 0: nothing
	File        int            // the descriptor by which Path leads to the program; 0: it is on a disk
	Group       bool           // enter a control group
	Listen      bool           // the program inherits listening sockets, and is told that they are for this process
}

// Stage makes this process the stage, where it was started as that, and then never returns. A program that starts
// confined processes calls it before anything else; see package early.
func Stage() {
	if os.Args[0] != stageName {
		hasStage.Store(true)
		return
	}
	os.Exit(runStage(os.Args[1:]))
}

// runStage returns only where the program was not executed. The starter is told why.
func runStage(args []string) int {
	runtime.LockOSThread() // the confinement is put on the thread that executes the program: no other survives that
	if len(args) != 1 {
		return usageOfStage()
	}
	number, err := strconv.Atoi(args[0])
	if err != nil {
		return usageOfStage()
	}
	socket := os.NewFile(uintptr(number), "starter")
	if socket == nil {
		return usageOfStage()
	}
	o, err := takeOrder(socket)
	reports := &reporter{socket: int(socket.Fd())}
	if err == nil {
		err = o.carryOut(socket, reports)
	}
	c := complaint{Text: err.Error()}
	if errno, refused := err.(refusedByKernel); refused {
		c.Executed = syscall.Errno(errno)
	}
	reports.send(stageReport{Complaint: c}, nil)
	return 1
}

// A reporter sends the stage's reports.
type reporter struct {
	socket int
	buffer bytes.Buffer
	gob    *gob.Encoder
}

// send sends a report, and a file with it if that is not nil.
func (r *reporter) send(report stageReport, file *os.File) error {
	if r.gob == nil {
		r.gob = gob.NewEncoder(&r.buffer)
	}
	if err := r.gob.Encode(report); err != nil {
		return err
	}
	var rights []byte
	if file != nil {
		rights = unix.UnixRights(int(file.Fd()))
	}
	defer r.buffer.Reset()
	return unix.Sendmsg(r.socket, r.buffer.Bytes(), rights, nil, 0)
}

func usageOfStage() int {
	fmt.Fprintf(os.Stderr, "%s: cannot start: it is a part of how a confined process is started\n", stageName)
	return 2
}

// takeOrder reads the order. From here on nothing but what the program inherits outlasts its execution.
func takeOrder(socket *os.File) (o order, err error) {
	unix.CloseOnExec(int(socket.Fd()))
	err = gob.NewDecoder(socket).Decode(&o)
	return o, err
}

// carryOut returns only with an error. The socket is the last of the descriptors that the program inherits; behind it
// are the program's file and the group's, as far as there are any. The last thing before the program is executed is to
// report that: a socket that closes without it is that of a stage which has died.
func (o order) carryOut(socket *os.File, reports *reporter) error {
	next := int(socket.Fd()) + 1
	if o.File != 0 {
		if err := move(next, o.File); err != nil { // Path leads there by this number
			return err
		}
		next++
	}
	if o.Group {
		if err := enterGroup(next); err != nil {
			return cannotConfine(MeasureGroup, err)
		}
	}
	if err := o.Confinement.limit(o.Kernel); err != nil {
		return err
	}
	if o.Confinement.Program {
		o.Confinement.Paths = append(o.Confinement.Paths, PathRule{o.Path, Read | Execute})
	}
	asked, err := o.Confinement.enter(o.Kernel)
	if err != nil {
		return err
	}
	if o.ParentsEnd != 0 {
		if err := outlive(o.Parent, o.ParentsEnd); err != nil {
			return err
		}
	}
	if err := reports.send(stageReport{Executes: true}, asked); err != nil {
		return err
	}
	err = unix.Exec(o.Path, o.Argv, o.environment())
	if errno, ok := err.(syscall.Errno); ok {
		return refusedByKernel(errno)
	}
	return err
}

// announce tells a program which listening sockets it inherits, by the convention of sd_listen_fds(3). Which process
// they are for is known only in that process.
func announce(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("LISTEN_FDS=%d", len(names)), "LISTEN_FDNAMES=" + strings.Join(names, ":")}
}

func (o order) environment() []string {
	if !o.Listen {
		return o.Env
	}
	return append(o.Env, fmt.Sprintf("LISTEN_PID=%d", os.Getpid()))
}

// refusedByKernel is the answer of execve(2).
type refusedByKernel syscall.Errno

func (e refusedByKernel) Error() string { return syscall.Errno(e).Error() }

// move gives an open file another descriptor, which is closed when the program is executed.
func move(from, to int) error {
	if err := unix.Dup3(from, to, unix.O_CLOEXEC); err != nil {
		return err
	}
	return unix.Close(from)
}

var errOrphan = errors.New("its starter has ended")

// outlive has the kernel send this process a signal when the one that started it ends. Becoming another user undoes it
// (prctl(2)), so it comes after that.
func outlive(parent int, signal syscall.Signal) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(signal), 0, 0, 0); err != nil {
		return err
	}
	if unix.Getppid() != parent {
		return errOrphan // before it could be known
	}
	return nil
}

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

package plat

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds on the stage, which has nothing to wait for.
const (
	stagePatience = 30 * time.Second
	maxComplaint  = 4096 // bytes of why it failed
	stageFiles    = 3    // what it has behind the descriptors that the program inherits
)

var errNoStage = errors.New("this program cannot confine what it starts: it does not call plat.Stage")

// spawnConfined starts the stage and orders it to become the program.
func (f *forker) spawnConfined(cmd Command) (*child, error) {
	switch {
	case !hasStage.Load():
		return nil, errNoStage
	case cmd.File != nil && cmd.File.Fd() < firstExtra+uintptr(len(cmd.Extra))+stageFiles:
		return nil, fmt.Errorf("its descriptor %d may be one that it inherits", cmd.File.Fd())
	}
	ours, theirs, err := StreamPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	reports := &reportReader{conn: conn.(*net.UnixConn)}
	defer reports.close()
	k := look()
	if cmd.Confinement, err = cmd.Confinement.fromRoot(); err != nil {
		return nil, err
	}
	c, err := f.fork(cmd.staged(theirs))
	if err != nil {
		return nil, err
	}
	theirs.Close()
	err = cmd.order(k).give(conn, reports)
	if err == nil {
		err = reports.answerWith(cmd.Socket)
	}
	if err != nil {
		c.Kill()
		<-c.Done()
		return nil, err
	}
	c.measures = k.measures(*cmd.Confinement)
	return c, nil
}

// fromRoot is the confinement with paths that do not depend on the working directory: the stage has the program's.
func (c *Confinement) fromRoot() (*Confinement, error) {
	rooted := *c
	rooted.Paths = slices.Clone(c.Paths)
	for i, rule := range rooted.Paths {
		path, err := filepath.Abs(rule.Path)
		if err != nil {
			return nil, err
		}
		rooted.Paths[i].Path = path
	}
	return &rooted, nil
}

// staged is the command that starts the stage in the place of this one's program. It has all that the program inherits,
// and behind that what it needs itself: see order.carryOut.
func (cmd Command) staged(socket *os.File) Command {
	stage := cmd
	stage.Path, stage.Argv = ownProgram, []string{stageName, strconv.Itoa(firstExtra + len(cmd.Extra))}
	// The program's is in the order: nothing in there may change how the stage runs. It does one thing after the other,
	// and ends before it has garbage.
	stage.Env = []string{"GOMAXPROCS=1", "GOGC=off"}
	stage.Extra = append(append([]*os.File(nil), cmd.Extra...), socket)
	if cmd.File != nil {
		stage.Extra = append(stage.Extra, cmd.File)
	}
	if cmd.Group != nil {
		stage.Extra = append(stage.Extra, cmd.Group.procs)
	}
	return stage
}

func (cmd Command) order(k kernel) order {
	o := order{Confinement: *cmd.Confinement, Kernel: k, Path: cmd.Path, Argv: cmd.Argv,
		Env:    slices.Concat(cmd.Env, announce(cmd.Listen)),
		Parent: os.Getpid(), ParentsEnd: cmd.parentsEnd(), Group: cmd.Group != nil, Listen: len(cmd.Listen) > 0}
	if cmd.File != nil {
		o.File = int(cmd.File.Fd())
	}
	return o
}

// A stageReport is what the stage says to its starter: that it is about to execute the program, and if it then still
// runs, or did not get that far, why.
type stageReport struct {
	Executes  bool
	Complaint complaint
}

var errStageDied = errors.New("the process that was to become it has ended before")

// give sends the order to the stage and waits until it is carried out: executing the program closes the socket, and so
// does the end of the stage, which then has not said that it executes.
func (o order) give(conn net.Conn, from io.Reader) error {
	if err := conn.SetDeadline(time.Now().Add(stagePatience)); err != nil {
		return err
	}
	switch err := gob.NewEncoder(conn).Encode(o); {
	case stageEnded(err):
		return errStageDied
	case err != nil:
		return err
	}
	executes := false
	reports := gob.NewDecoder(io.LimitReader(from, maxComplaint))
	for {
		var r stageReport
		switch err := reports.Decode(&r); {
		case stageEnded(err) && executes:
			return nil
		case stageEnded(err):
			return errStageDied
		case err != nil:
			return err
		case !r.Executes:
			return r.Complaint
		}
		executes = true
	}
}

// stageEnded reports whether the stage has closed its end of the socket. A stage that dies with part of its order
// unread resets the connection, see unix(7), and one that dies before it is written breaks it.
func stageEnded(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// A reportReader reads what the stage reports, and keeps the file that comes with it.
type reportReader struct {
	conn *net.UnixConn
	file *os.File
}

// Read reads the reports.
func (r *reportReader) Read(p []byte) (int, error) {
	rights := make([]byte, unix.CmsgSpace(4))
	n, size, _, _, err := r.conn.ReadMsgUnix(p, rights)
	if err != nil {
		return max(n, 0), err
	}
	messages, _ := unix.ParseSocketControlMessage(rights[:size])
	for _, m := range messages {
		fds, _ := unix.ParseUnixRights(&m)
		for _, fd := range fds {
			r.close()
			unix.SetNonblock(fd, true) // so that waiting for it takes no thread
			r.file = os.NewFile(uintptr(fd), "calls")
		}
	}
	return n, nil
}

func (r *reportReader) close() {
	if r.file != nil {
		r.file.Close()
	}
	r.file = nil
}

// answerWith begins to answer the calls that the program waits for, with a socket.
func (r *reportReader) answerWith(socket *os.File) error {
	if socket == nil || r.file == nil {
		return nil
	}
	fd, err := unix.FcntlInt(socket.Fd(), unix.F_DUPFD_CLOEXEC, sealedFDs)
	if err != nil {
		return err
	}
	go answerSockets(r.file, fd)
	r.file = nil
	return nil
}

package probe

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// An attempt is something that a confined process must not be able to do. It does no harm if it is not refused: most
// attempts have an argument that the kernel rejects after it has checked the caller's permissions.
type attempt struct {
	name string
	try  func(p *prey) error
	want syscall.Errno // the error with which the kernel refuses it; 0: it was granted, and must succeed
	// except lists the kinds of process that may do it.
	except []string
	// only lists the kinds of process that can try; none: all.
	only []string
}

// A prey holds the probe's targets. The process that starts the probe makes them.
type prey struct {
	Parent int // the process that started it
	// A folder outside all rules that everybody may write to. Its file `secret` is readable and writable for everybody.
	Dir      string
	Granted  map[string]string // the folders granted by rows of the authority table, by name
	Unix     string            // a listening socket in Dir
	Abstract string            // a listening abstract socket
	TCP, UDP int               // listening ports of 127.0.0.1
}

// An outcome is the result of one attempt.
type outcome struct {
	Name  string
	Errno int // 0: it succeeded
	Want  int
}

// refused reports whether the kernel refused the attempt with the expected error.
func (o outcome) refused() bool { return o.Errno == o.Want }

// attack makes all attempts that this kind of process must not be able to make.
func attack(kind string, p *prey) []outcome {
	var all []outcome
	for _, a := range attempts() {
		if !a.isFor(kind) {
			continue
		}
		errno := errnoOf(a.try(p))
		all = append(all, outcome{a.name, int(errno), int(a.want)})
	}
	return all
}

// isFor reports whether this kind of process is to make the attempt. One with a power is a payload, and may do what
// that may.
func (a attempt) isFor(kind string) bool {
	may := slices.Contains(a.except, kind) || slices.Contains(empowered(), kind) &&
		slices.Contains(a.except, kindPayload)
	return !may && (len(a.only) == 0 || slices.Contains(a.only, kind))
}

// errnoOf returns the error number of err, or 0 if the attempt succeeded.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &errno):
		return errno
	case errors.Is(err, os.ErrPermission):
		return syscall.EPERM
	default:
		return syscall.EIO
	}
}

// denied returns an attempt of one system call, with arguments that the kernel rejects if the call is not refused
// before. The argument parent stands for the process that started the probe.
func denied(name string, number uintptr, arguments ...uintptr) attempt {
	return attempt{name: name, want: syscall.EPERM, try: func(p *prey) error {
		arguments := slices.Clone(arguments)
		for i, a := range arguments {
			if a == parent {
				arguments[i] = uintptr(p.Parent)
			}
		}
		return raw(number, arguments...)
	}}
}

// Arguments of system calls.
const (
	bad    = ^uintptr(0) // an invalid descriptor
	parent = ^uintptr(1) // see denied
)

// but returns the attempt for all but some kinds of process.
func (a attempt) but(kinds ...string) attempt {
	a.except = kinds
	return a
}

// attempts returns all attempts, grouped by target.
func attempts() []attempt {
	return slices.Concat(files(), sockets(), processes(), threads(), kernel(), powers(), serving(), keeping(),
		reading(), using())
}

// lay makes the probe's targets in a new folder. The listeners stay until the returned function is called.
func lay(dir string) (prey, func(), error) {
	p := prey{
		Parent: os.Getpid(), Dir: filepath.Join(dir, "prey"), Abstract: "@nexus-probe-" + filepath.Base(dir),
		Granted: map[string]string{},
	}
	p.Unix = filepath.Join(p.Dir, "socket")
	for _, name := range []string{"system", "trust", "roots", "sets", "state", "bundles", "trees"} {
		p.Granted[name] = filepath.Join(dir, name)
		if err := os.MkdirAll(p.Granted[name], 0o755); err != nil {
			return p, nil, err
		}
	}
	if err := layState(p.Granted["bundles"]); err != nil {
		return p, nil, err
	}
	if err := layTrees(p.Granted["trees"]); err != nil {
		return p, nil, err
	}
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return p, nil, err
	}
	for _, name := range []string{"secret", "prey", "program"} {
		if err := os.WriteFile(filepath.Join(p.Dir, name), []byte("\x7fELF"), 0o777); err != nil {
			return p, nil, err
		}
		if err := os.Chmod(filepath.Join(p.Dir, name), 0o777); err != nil { // regardless of the umask
			return p, nil, err
		}
	}
	if err := os.Chmod(p.Dir, 0o777); err != nil {
		return p, nil, err
	}
	stop, err := p.listen()
	return p, stop, err
}

// listen opens all sockets. On a machine without a loopback interface there are no ports; the probe must still be
// refused when it tries to connect.
func (p *prey) listen() (func(), error) {
	var open []interface{ Close() error }
	stop := func() {
		for _, c := range open {
			c.Close()
		}
	}
	for _, name := range []string{p.Unix, p.Abstract} {
		listener, err := net.Listen("unix", name)
		if err != nil {
			return stop, err
		}
		open = append(open, listener)
	}
	if err := os.Chmod(p.Unix, 0o777); err != nil {
		return stop, err
	}
	p.TCP, p.UDP = 9, 9
	if listener, err := net.Listen("tcp4", "127.0.0.1:0"); err == nil {
		open = append(open, listener)
		p.TCP = listener.Addr().(*net.TCPAddr).Port
	}
	if conn, err := net.ListenPacket("udp4", "127.0.0.1:0"); err == nil {
		open = append(open, conn)
		p.UDP = conn.LocalAddr().(*net.UDPAddr).Port
	}
	return stop, nil
}

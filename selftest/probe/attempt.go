package main

import (
	"errors"
	"os"
	"syscall"
)

// An attempt is one thing that a confined process must not be able to do. It is made so that it does no harm where it
// is not refused: most have an argument that the kernel finds wrong after it has found the caller allowed.
type attempt struct {
	name string
	try  func(p *prey) error
	want syscall.Errno // how the kernel refuses it
	// except are the kinds of process that it is granted to.
	except []string
}

// A prey is what is around the probe for it to attack, made by who starts it.
type prey struct {
	Parent int // the process that starts it
	// a folder that everybody may write, outside of all rules; `secret` in it can be read and written by everybody
	Dir      string
	Granted  map[string]string // the folders that rows name, by name
	Unix     string            // a socket in Dir that listens
	Abstract string            // an abstract socket that listens
	TCP, UDP int               // ports of 127.0.0.1 that listen
}

// An outcome is how one attempt went.
type outcome struct {
	Name  string
	Errno int // 0: it got through
	Want  int
}

// refused tells whether the kernel refused it in the way it should.
func (o outcome) refused() bool { return o.Errno == o.Want }

// attack makes all attempts that are not granted to this kind of process.
func attack(kind string, p *prey) []outcome {
	var all []outcome
	for _, a := range attempts() {
		if a.granted(kind) {
			continue
		}
		errno := errnoOf(a.try(p))
		all = append(all, outcome{a.name, int(errno), int(a.want)})
	}
	return all
}

func (a attempt) granted(kind string) bool {
	for _, k := range a.except {
		if k == kind {
			return true
		}
	}
	return false
}

// errnoOf is 0 where the attempt got through.
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

// attempts are all, by what they go for.
func attempts() []attempt {
	var all []attempt
	for _, list := range [][]attempt{files(), sockets(), processes(), threads(), kernel(), powers()} {
		all = append(all, list...)
	}
	return all
}

package plat

import (
	"encoding/binary"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The filters are written here, in the kernel's own terms: the libraries for it either need cgo (libseccomp) or know
// nothing of riscv64 (elastic/go-seccomp-bpf, gVisor).

// Where things are in what a filter sees (seccomp(2), struct seccomp_data), on a little-endian machine. Arguments have
// 64 bits.
const (
	dataNumber   = 0
	dataArch     = 4
	dataArgument = 16
)

// A rule is how a filter answers one system call.
type rule struct {
	number  uint32
	when    []condition   // allowed if all hold; none: always allowed, or never where refuse or pretend is set
	either  [][]condition // allowed also if all of one of these hold
	refuse  unix.Errno    // the answer where it is not allowed; 0: EPERM
	pretend bool          // never made, and answered as if it had been
	feign   [][]condition // the same, if all of one of these hold
	never   [][]condition // not allowed if all of one of these hold
	ask     bool          // where it is allowed, the starter answers it: see answerSockets
}

// A condition is on the low 32 bits of one argument: masked, it must be one of the values.
type condition struct {
	argument uint32
	mask     uint32
	values   []uint32
}

// whole is the mask that leaves an argument as it is.
const whole = ^uint32(0)

// A filter is a seccomp program.
type filter []unix.SockFilter

func (f *filter) statement(code uint16, k uint32) {
	*f = append(*f, unix.SockFilter{Code: code, K: k})
}

// equal skips so many instructions where the accumulator is k, and otherwise so many where it is not.
func (f *filter) equal(k uint32, skip, otherwise uint8) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: skip, Jf: otherwise, K: k})
}

func (f *filter) load(offset uint32) { f.statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset) }
func (f *filter) answer(what uint32) { f.statement(unix.BPF_RET|unix.BPF_K, what) }

// refuse is the answer to a call: it fails with this error.
func refuse(err unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(err) }

// compile makes a filter of rules. A call of another architecture's numbering, such as the 32-bit one of amd64, ends
// the process; a call without a rule gets the answer otherwise.
func compile(rules []rule, otherwise uint32) filter {
	var f filter
	f.load(dataArch)
	f.equal(auditArch, 1, 0)
	f.answer(unix.SECCOMP_RET_KILL_PROCESS)
	f.load(dataNumber)
	for _, r := range rules {
		body := r.compile()
		f.equal(r.number, 0, uint8(len(body)))
		f = append(f, body...)
	}
	f.answer(otherwise)
	return f
}

// compile makes the instructions for a call that is known to be the rule's.
func (r rule) compile() filter {
	refused := refuse(unix.EPERM)
	if r.refuse != 0 {
		refused = refuse(r.refuse)
	}
	var body filter
	for _, all := range r.never {
		body = append(body, alternative(all, refused)...)
	}
	for _, all := range r.feign {
		body = append(body, alternative(all, refuse(0))...)
	}
	for _, all := range r.either {
		body = append(body, alternative(all, unix.SECCOMP_RET_ALLOW)...)
	}
	for _, c := range r.when {
		body.test(c)
		body.answer(refused)
	}
	switch {
	case len(r.either) > 0 && len(r.when) == 0:
		body.answer(refused)
	case r.pretend:
		body.answer(refuse(0))
	case len(r.when) == 0 && r.refuse != 0:
		body.answer(refused)
	case r.ask:
		body.answer(unix.SECCOMP_RET_USER_NOTIF)
	default:
		body.answer(unix.SECCOMP_RET_ALLOW)
	}
	return body
}

// test skips one instruction if a condition holds.
func (f *filter) test(c condition) {
	f.load(dataArgument + 8*c.argument)
	f.statement(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, c.mask)
	for i, value := range c.values {
		f.equal(value, uint8(len(c.values)-i), 0) // over the other values and the next instruction
	}
}

// alternative answers a call if all conditions hold, and goes on behind itself if one does not.
func alternative(all []condition, answer uint32) filter {
	var body filter
	var exits []int
	for _, c := range all {
		body.test(c)
		exits = append(exits, len(body))
		body.statement(unix.BPF_JMP|unix.BPF_JA, 0)
	}
	body.answer(answer)
	for _, at := range exits {
		body[at].K = uint32(len(body) - at - 1)
	}
	return body
}

// install puts a filter on the calling thread, which must have given up new privileges.
func (f filter) install() error {
	_, err := f.put(0)
	return err
}

// installAsking does the same, and returns where the calls arrive that the starter answers.
func (f filter) installAsking() (*os.File, error) {
	fd, err := f.put(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	if err != nil {
		return nil, err
	}
	return os.NewFile(fd, "calls"), nil
}

// installOnAll puts a filter on all threads of this process.
func (f filter) installOnAll() error {
	_, err := f.put(unix.SECCOMP_FILTER_FLAG_TSYNC)
	return err
}

func (f filter) put(flags uintptr) (uintptr, error) {
	program := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags,
		uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return 0, errno
	}
	return fd, nil
}

// seccompWorks reports whether the kernel takes filters for this kind of machine.
func seccompWorks() bool {
	if auditArch == 0 || binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return false
	}
	action := uint32(unix.SECCOMP_RET_KILL_PROCESS)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	return errno == 0
}

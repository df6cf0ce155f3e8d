package plat

import "golang.org/x/sys/unix"

// auditArch is the numbering of system calls of this kind of machine.
const auditArch = unix.AUDIT_ARCH_AARCH64

// machineCalls are what Go's runtime and os package need on this kind of machine only.
func machineCalls() []uint32 { return []uint32{unix.SYS_FSTATAT, unix.SYS_RENAMEAT} }

// machineProgramCalls are what C libraries use besides.
func machineProgramCalls() []uint32 { return []uint32{unix.SYS_GETRLIMIT, unix.SYS_SETRLIMIT} }

// Command saboteur is the first process of a guest that is to fail: it leaves a child of its own in the machine and
// becomes init. The child does to kernel and init what it is told through a port of the machine: `panic` or `hang`. No
// part of it is in the image of a system.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"nexus/daemons/plat"
)

// port is the virtio-serial port by which it is told what to do.
const port = "org.nexus.saboteur"

func main() {
	runtime.LockOSThread() // who stops a thread has to be one thread himself
	if os.Getpid() == 1 {
		fmt.Println("saboteur:", enter())
		return
	}
	for {
		if err := serve(); err != nil && !errors.Is(err, os.ErrNotExist) {
			fmt.Println("saboteur:", err)
		}
		time.Sleep(50 * time.Millisecond) // until there is a port, and somebody at its other end
	}
}

// enter starts the child and becomes init. It returns only when that failed.
func enter() error {
	child := &os.ProcAttr{Env: []string{}, Files: []*os.File{nil, os.Stdout, os.Stdout}}
	if _, err := os.StartProcess("/init", []string{"saboteur"}, child); err != nil {
		return err
	}
	return syscall.Exec("/bin/nexus", append([]string{"init"}, os.Args[1:]...), nil)
}

// serve takes orders as long as the port is open.
func serve() error {
	in, err := plat.OpenPort(port)
	if err != nil {
		return err
	}
	defer in.Close()
	orders := bufio.NewScanner(in)
	for orders.Scan() {
		switch orders.Text() {
		case "panic":
			err = os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
		case "hang":
			err = freeze(1)
		}
		if err != nil {
			return err
		}
	}
	return orders.Err()
}

// What the kernel calls the two requests (ptrace(2)).
const (
	ptraceSeize     = 0x4206
	ptraceInterrupt = 0x4207
)

// freeze stops every thread of a process for as long as this one lives.
func freeze(pid int) error {
	seized := map[int]bool{}
	for again := true; again; { // a thread may have been made meanwhile
		again = false
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		if err != nil {
			return err
		}
		for _, path := range threads {
			thread, err := strconv.Atoi(filepath.Base(path))
			if err != nil || seized[thread] {
				continue
			}
			for _, request := range []uintptr{ptraceSeize, ptraceInterrupt} {
				if _, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, request, uintptr(thread), 0, 0, 0,
					0); errno != 0 {
					return fmt.Errorf("cannot stop thread %d: %w", thread, errno)
				}
			}
			seized[thread], again = true, true
		}
	}
	return nil
}

package rpcbench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// far starts a process that serves the contender, and connects to it. The process ends when end is called or this
// process ends.
func far(ctx context.Context, dir string, index int) (c client, end func(), err error) {
	who := contenders()[index]
	path := filepath.Join(dir, fmt.Sprint(index))
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, self, "serve", fmt.Sprint(index), path)
	cmd.SysProcAttr = endWithParent()
	cmd.Stderr = os.Stderr
	ready, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	kill := func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	if _, err := fmt.Fscanln(ready, new(string)); err != nil {
		kill()
		return nil, nil, fmt.Errorf("cannot start %s: %w", who.name, err)
	}
	c, err = who.dial(ctx, path)
	if err == nil {
		err = c.Call(ctx, []byte("hello"))
	}
	if err != nil {
		kill()
		return nil, nil, fmt.Errorf("cannot reach %s: %w", who.name, err)
	}
	return c, func() { c.Close(); kill() }, nil
}

// serve runs the far process.
func serve(index, path string) error {
	i, err := strconv.Atoi(index)
	if err != nil {
		return err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	return contenders()[i].serve(l, func() { fmt.Println("ready") })
}

// accept calls handle for each connection, on a goroutine of its own.
func accept(l net.Listener, ready func(), handle func(net.Conn)) error {
	ready()
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			handle(conn)
		}()
	}
}

// endWithParent returns the attribute that ends a process when its parent ends.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// same returns an error if an echo differs from what was sent.
func same(sent, back []byte) error {
	if !bytes.Equal(sent, back) {
		return errors.New("the echo differs from what was sent")
	}
	return nil
}

package main

import (
	"net"
	"os"
	"path/filepath"
)

// lay makes the probe's targets in a new folder. The listeners stay until the returned function is called.
func lay(dir string) (prey, func(), error) {
	p := prey{
		Parent: os.Getpid(), Dir: filepath.Join(dir, "prey"), Abstract: "@nexus-probe-" + filepath.Base(dir),
		Granted: map[string]string{},
	}
	p.Unix = filepath.Join(p.Dir, "socket")
	for _, name := range []string{"system", "trust", "roots", "sets", "state"} {
		p.Granted[name] = filepath.Join(dir, name)
		if err := os.MkdirAll(p.Granted[name], 0o755); err != nil {
			return p, nil, err
		}
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

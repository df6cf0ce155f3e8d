package execd

import (
	"context"
	"fmt"
	"net"
	"os"

	"nexus/capnpgen/bootrecord"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// A program is a bundle's payload as a running process.
type program struct {
	process plat.Process
	socket  *net.UnixConn // our end of its fd 3
	conn    *vat.Conn
	output  *output
	breach  *breach
}

// A breach is that a program broke the protocol on its connection, which the guard then closed.
type breach struct {
	known  chan struct{} // closed when there was one
	reason guard.Reason  // valid from then on
}

// watchFor makes the guard log a breach of the bundle's, and say so.
func (s *supervisor) watchFor(b *breach, bundle string) guard.Option {
	return guard.Observe(func(reason guard.Reason) {
		s.log.Refused("bundle:"+bundle, reason)
		b.reason = reason
		close(b.known)
	})
}

// start loads a payload, checks it, and runs the very bytes that were checked.
func (s *supervisor) start(ctx context.Context, spec spec) (*program, error) {
	payload, err := s.load(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer payload.Close()

	ours, theirs, err := plat.StreamPair()
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	defer theirs.Close()
	socket, err := vat.Socket(ours)
	if err != nil {
		return nil, err
	}
	out, writer, err := s.capture(spec.name)
	if err != nil {
		socket.Close()
		return nil, err
	}
	defer writer.Close()
	process, err := s.host.Spawner.Spawn(plat.Command{
		Path:   fmt.Sprintf("/proc/self/fd/%d", payload.Fd()),
		Argv:   []string{spec.name},
		Env:    environment(spec),
		Dir:    "/",
		Stdout: writer,
		Stderr: writer,
		Extra:  []*os.File{theirs},

		DieWithParent: true,
		Confinement:   s.confinement(spec, payload),
	})
	if err != nil {
		socket.Close()
		return nil, err
	}
	b := &breach{known: make(chan struct{})}
	return &program{
		process: process,
		socket:  socket.(*net.UnixConn),
		conn:    vat.Connect(socket, s.managerFor(spec), s.watchFor(b, spec.name)),
		output:  out,
		breach:  b,
	}, nil
}

// environment is the whole environment of a bundle.
func environment(spec spec) []string {
	return []string{
		"NEXUS_BUNDLE=" + spec.name,
		"NEXUS_SLOT=" + slotName(spec.slot),
		"NEXUS_VERSION=" + spec.version,
	}
}

func slotName(s bootrecord.Slot) string { return s.String() }

func (p *program) close() { p.conn.Close() }

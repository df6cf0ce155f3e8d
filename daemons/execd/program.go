package execd

import (
	"io"
	"net"
	"os"
	"time"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
	"nexus/libupdates/refusal"
)

// A program is a bundle's payload as a running process.
type program struct {
	name    string   // the bundle's, with a number after `#` if it was started on demand
	payload *os.File // what it is executed from
	process plat.Process
	group   *plat.Group   // nil: it is in execd's
	socket  *net.UnixConn // our end of its connection: fd 3, or the first behind its listening sockets
	conn    *vat.Conn
	links   *links // over its fd 4
	output  *output
	breach  *breach
	grants  []string // the names that its manifest asks for
	refused *refusals
	began   time.Time
}

// A breach records that a program broke the protocol on its connection, which the guard then closed.
type breach struct {
	known  chan struct{} // closed when there was one
	reason guard.Reason  // valid from then on
}

// watchFor returns an option that makes the guard record and log a breach by the bundle.
func watchFor(b *breach, bundle string, log *logclient.Log) guard.Option {
	return guard.Observe(func(reason guard.Reason) {
		log.Refused("bundle:"+bundle, reason)
		b.reason = reason
		close(b.known)
	})
}

// decayOf returns why a program failed that was executed from a payload of that size: failed, or Damaged if the kernel
// verifies the payload and refuses to read a part of it.
func decayOf(payload *os.File, size int64, failed error) error {
	if !plat.OnDisk(payload) {
		return failed
	}
	if _, err := io.Copy(io.Discard, io.NewSectionReader(payload, 0, size)); err != nil {
		return refusal.New(refusal.Damaged, "%v: the kernel refuses to read the payload: %v", failed, err)
	}
	return failed
}

// files are what a program inherits.
type files []*os.File

// Close closes execd's copies.
func (f files) Close() {
	for _, file := range f {
		file.Close()
	}
}

// close ends the program's connections, and gives up its payload.
func (p *program) close() {
	if p.payload != nil {
		p.payload.Close()
	}
	p.links.close()
	p.conn.Close()
}

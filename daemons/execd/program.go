package execd

import (
	"context"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"nexus/capnpgen/bootrecord"
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
func (s *supervisor) watchFor(b *breach, bundle string) guard.Option {
	return guard.Observe(func(reason guard.Reason) {
		s.log.Refused("bundle:"+bundle, reason)
		b.reason = reason
		close(b.known)
	})
}

// start loads a payload, checks it, and runs exactly the bytes that were checked, as a program of that name. It calls
// ready as soon as the payload is loaded, or cannot be, and goes on when that has returned.
func (s *supervisor) start(ctx context.Context, spec spec, name string, ready func()) (*program, error) {
	done, err := s.mayStart(ctx)
	defer done()
	var payload *os.File
	if err == nil {
		payload, err = s.load(ctx, spec)
	}
	ready()
	if err != nil {
		return nil, err
	}
	p, err := s.startFrom(ctx, payload, spec, name)
	if err != nil {
		defer payload.Close()
		return nil, decayOf(payload, spec.size, err)
	}
	return p, nil
}

// startFrom runs a payload that was loaded. It belongs to the program that is started.
func (s *supervisor) startFrom(ctx context.Context, payload *os.File, spec spec, name string) (*program, error) {
	given, err := s.endow(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer given.close()
	p, inherited, err := s.connect(spec, name)
	if err != nil {
		return nil, err
	}
	defer inherited.Close()
	out, writer, err := s.capture(spec.name)
	if err != nil {
		p.close()
		return nil, err
	}
	defer writer.Close()
	p.output = out
	if err := s.spawn(p, spec, payload, writer, given, inherited); err != nil {
		p.group.Remove()
		p.close()
		return nil, err
	}
	p.payload = payload
	return p, nil
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

// spawn executes a payload as a program.
func (s *supervisor) spawn(p *program, spec spec, payload, writer *os.File, given endowment, inherited files) (
	err error,
) {
	if p.group, err = s.groups.Make(p.name); err != nil {
		return err
	}
	cmd := plat.Command{
		Path:   plat.ByDescriptor(payload),
		File:   payload,
		Argv:   append([]string{spec.name}, given.fill(spec, spec.args)...),
		Env:    environment(spec, given),
		Dir:    "/",
		Stdout: writer,
		Stderr: writer,
		Extra:  slices.Concat(given.listening, given.devices, inherited),
		Listen: spec.fileNames(),

		DieWithParent: true,
		Confinement:   s.confinement(spec, payload, given),
		Group:         p.group,
	}
	if cmd.Confinement.Calls == plat.CallsBinder {
		cmd.Socket = given.listening[0]
	}
	p.began = s.host.Clock.Now()
	p.process, err = s.host.Spawner.Spawn(cmd)
	return err
}

// files are what a program inherits.
type files []*os.File

// Close closes execd's copies.
func (f files) Close() {
	for _, file := range f {
		file.Close()
	}
}

// connect makes a program's two sockets, its descriptors 3 and 4, and serves execd's ends.
func (s *supervisor) connect(spec spec, name string) (p *program, inherited files, err error) {
	defer func() {
		if err != nil {
			inherited.Close()
		}
	}()
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		return nil, nil, err
	}
	defer ours.Close()
	inherited = files{theirs}
	parent, channel, err := plat.PacketPair()
	if err != nil {
		return nil, inherited, err
	}
	inherited = append(inherited, channel)
	links, err := s.linksOf(name, parent)
	if err != nil {
		return nil, inherited, err
	}
	socket, err := vat.Socket(ours)
	if err != nil {
		links.close()
		return nil, inherited, err
	}
	p = &program{
		name: name, socket: socket.(*net.UnixConn), links: links, breach: &breach{known: make(chan struct{})},
		grants: spec.grants, refused: &refusals{},
	}
	p.conn = vat.Connect(socket, s.managerFor(spec, p), guard.Relays(),
		s.watchFor(p.breach, spec.name))
	links.connected(p.conn)
	return p, inherited, nil
}

// environment is the environment of a bundle, except for what its sockets add.
func environment(spec spec, given endowment) []string {
	all := given.variables(spec)
	if given.state != "" { // the first by the convention of systemd.exec(5)
		all = append(all, "STATE_DIRECTORY="+given.state)
		if !slices.ContainsFunc(spec.environ, func(v string) bool { return strings.HasPrefix(v, "HOME=") }) {
			all = append(all, "HOME="+given.state)
		}
	}
	return append(all, given.fill(spec, spec.environ)...)
}

// variables are those by which the system tells a program what it got.
func (e endowment) variables(spec spec) []string {
	all := []string{
		"NEXUS_BUNDLE=" + spec.name,
		"NEXUS_SLOT=" + slotName(spec.slot),
		"NEXUS_VERSION=" + spec.version,
	}
	if e.state != "" {
		all = append(all, "NEXUS_STATE="+e.state)
	}
	for _, name := range slices.Sorted(maps.Keys(e.data)) {
		all = append(all, name+"="+e.data[name])
	}
	return all
}

// fill puts the values of these variables where texts refer to them, as `${NEXUS_STATE}`.
func (e endowment) fill(spec spec, texts []string) (filled []string) {
	var pairs []string
	for _, variable := range e.variables(spec) {
		name, value, _ := strings.Cut(variable, "=")
		pairs = append(pairs, "${"+name+"}", value)
	}
	values := strings.NewReplacer(pairs...)
	for _, text := range texts {
		filled = append(filled, values.Replace(text))
	}
	return filled
}

func slotName(s bootrecord.Slot) string { return s.String() }

// close ends the program's connections, and gives up its payload.
func (p *program) close() {
	if p.payload != nil {
		p.payload.Close()
	}
	p.links.close()
	p.conn.Close()
}

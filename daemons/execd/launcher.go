package execd

import (
	"context"
	"net"
	"os"
	"slices"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/registry"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// A launcher starts programs.
type launcher struct {
	host       plat.Host
	log        *logclient.Log
	groups     *plat.Groups // nil: the machine has none for bundles
	payloads   *payloads
	sockets    *sockets
	trees      *trees
	forwarder  *forwarder
	introducer *introducer
	// one for each program that is being started: what it replaces runs until its payload is loaded, so this bounds
	// what a switch takes of memory besides
	starting tokens
}

// start loads a payload, checks it, and runs exactly the bytes that were checked, as a program of that name. It calls
// ready as soon as the payload is loaded, or cannot be, and goes on when that has returned.
func (l *launcher) start(ctx context.Context, spec spec, name string, ready func()) (*program, error) {
	done, err := l.starting.take(ctx)
	defer done()
	var payload *os.File
	if err == nil {
		payload, err = l.payloads.load(ctx, spec)
	}
	ready()
	if err != nil {
		return nil, err
	}
	p, err := l.startFrom(ctx, payload, spec, name)
	if err != nil {
		defer payload.Close()
		return nil, decayOf(payload, spec.size, err)
	}
	return p, nil
}

// startFrom runs a payload that was loaded. It belongs to the program that is started.
func (l *launcher) startFrom(ctx context.Context, payload *os.File, spec spec, name string) (*program, error) {
	given, err := l.endow(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer given.close()
	p, inherited, err := l.connect(spec, name)
	if err != nil {
		return nil, err
	}
	defer inherited.Close()
	out, writer, err := newOutput(l.log.ForSender(spec.name))
	if err != nil {
		p.close()
		return nil, err
	}
	defer writer.Close()
	p.output = out
	if err := l.spawn(p, spec, payload, writer, given, inherited); err != nil {
		p.group.Remove()
		p.close()
		return nil, err
	}
	p.payload = payload
	return p, nil
}

// connect makes a program's two sockets, its descriptors 3 and 4, and serves execd's ends.
func (l *launcher) connect(spec spec, name string) (p *program, inherited files, err error) {
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
	links, err := newLinks(name, parent, l.host.Clock, l.forwarder)
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
	names := registry.ServiceManager_ServerToClient(&manager{
		introducer: l.introducer, forwarder: l.forwarder, program: p, names: spec.grants,
	})
	p.conn = vat.Connect(socket, capnp.Client(names), guard.Relays(), watchFor(p.breach, spec.name, l.log))
	links.connected(p.conn)
	return p, inherited, nil
}

// spawn executes a payload as a program.
func (l *launcher) spawn(p *program, spec spec, payload, writer *os.File, given endowment, inherited files) (
	err error,
) {
	if p.group, err = l.groups.Make(p.name); err != nil {
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
		Confinement:   confinement(spec, payload, given),
		Group:         p.group,
	}
	if cmd.Confinement.Calls == plat.CallsBinder {
		cmd.Socket = given.listening[0]
	}
	p.began = l.host.Clock.Now()
	p.process, err = l.host.Spawner.Spawn(cmd)
	return err
}

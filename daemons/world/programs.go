package world

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/rpc"
	"capnproto.org/go/capnp/v3/rpc/transport"
	capnpserver "capnproto.org/go/capnp/v3/server"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/registry"
	"nexus/capnpgen/service"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// Program returns a payload with the header of an ELF program for this machine and a text for the world's spawner:
// `serve VERSION` (native and healthy), `start VERSION` (native, stays in the starting state), `fail VERSION` (native,
// reports that it fails), `late VERSION` (native, healthy only after lateAfter), `find VERSION` (serves, finds
// BundleMgr by name once and calls it every findEvery; exits with 1 when a call fails), `link VERSION NAME` (serves,
// takes links, and does the same with the provider of NAME), `keep VERSION NAME` (likewise, but what it holds by is its
// holding: when a call fails because the provider has ended, it waits for the next one; its health's detail is the
// version that answered last), `rude VERSION NAME` (the same, with calls that exceed the guard's limit), `flaky
// VERSION` (exits with 1 the first time, then serves), `tired VERSION` (serves, and exits with 1 after tiredAfter),
// `stuck VERSION` and `cling VERSION NAME` (serve, the latter like link; when killed they end only after LetGo), `sick
// VERSION` (serves, and reports that it fails after tiredAfter), `moody VERSION` (serves, and reports failure and
// health in turns of tiredAfter), `mute VERSION` (serves, and stops answering after tiredAfter), `slow VERSION`
// (serves, and also serves a BundleMgr whose calls never return), `poor VERSION` (cannot be started until Relieve, then
// serves), `plain` (runs), `exit CODE`.
func Program(text string) []byte {
	header := make([]byte, 64)
	copy(header, elf.ELFMAG)
	header[elf.EI_CLASS], header[elf.EI_DATA], header[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	binary.LittleEndian.PutUint16(header[16:], uint16(elf.ET_EXEC))
	binary.LittleEndian.PutUint16(header[18:], uint16(plat.Machine()))
	return append(header, text...)
}

// findEvery is the pause between two calls of a program that has found its provider.
const findEvery = time.Second

// lateAfter is how long a late program starts. It is much longer than the default deadline of a trial, because a busy
// machine lags behind the world's clock and sees only part of that time.
const lateAfter = 10 * time.Minute

// tiredAfter is how long a tired program serves.
const tiredAfter = 3 * time.Second

// programs is a Spawner whose processes are goroutines that act as their payload's text says.
type programs struct {
	clock plat.Clock

	mu   sync.Mutex
	next int
	ran  map[string]bool // texts that have run before

	conns map[string]*vat.Conn // of the newest native program of each bundle

	alive    map[string]int // programs of each bundle that have not ended
	overlaps []string       // bundles of which a program was started before the one before had ended

	told     chan string   // names of stuck programs that were told to end
	letGo    chan struct{} // closed when stuck programs may end
	relieved bool          // poor programs can be started
}

// LetGo lets stuck programs end that have been killed.
func (w *World) LetGo() { close(w.launcher.host.Spawner.(*programs).letGo) }

// AwaitTold waits until so many stuck programs were told to end.
func (w *World) AwaitTold(count int) {
	w.t.Helper()
	for range count {
		select {
		case <-w.launcher.host.Spawner.(*programs).told:
		case <-time.After(limit):
			w.t.Fatalf("no program was told to end; console:\n%s", w.Console())
		}
	}
}

// Relieve lets poor programs start from now on.
func (w *World) Relieve() {
	p := w.launcher.host.Spawner.(*programs)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.relieved = true
}

// textOf returns what a program is to do, or why it cannot be started. The caller holds the lock.
func (p *programs) textOf(raw []byte) (string, error) {
	text := string(bytes.TrimLeft(raw[64:], "\x00"))
	if version, flaky := strings.CutPrefix(text, "flaky "); flaky {
		if text = "serve " + version; !p.ran[text] {
			p.ran = map[string]bool{text: true}
			return "exit 1", nil
		}
	}
	if version, poor := strings.CutPrefix(text, "poor "); poor {
		if !p.relieved {
			return "", syscall.EAGAIN
		}
		return "serve " + version, nil
	}
	return text, nil
}

// Sweep does nothing, because goroutines leave no orphans.
func (p *programs) Sweep() {}

// Spawn runs the text of the file that it is told to execute.
func (p *programs) Spawn(cmd plat.Command) (plat.Process, error) {
	raw, err := os.ReadFile(cmd.Path)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	text, err := p.textOf(raw)
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	socket, err := dup(cmd.Extra[0])
	if err != nil {
		return nil, err
	}
	channel, err := dup(cmd.Extra[1])
	if err != nil {
		return nil, err
	}
	out, err := dup(cmd.Stdout)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.next++
	run := &program{clock: p.clock, of: p, name: cmd.Argv[0], channel: channel, pid: 1000 +
		p.next, kill: make(chan struct{}), done: make(chan struct{})}
	p.mu.Unlock()
	p.begun(run.name)
	go func() {
		defer close(run.done)
		defer p.over(run.name)
		run.live(text, socket, out)
	}()
	return run, nil
}

func (p *programs) begun(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive == nil {
		p.alive = map[string]int{}
	}
	if p.alive[name]++; p.alive[name] > 1 {
		p.overlaps = append(p.overlaps, name)
	}
}

func (p *programs) over(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alive[name]--
}

// Overlaps returns the bundles of which a program was started before the one before had ended.
func (w *World) Overlaps() []string {
	p := w.launcher.host.Spawner.(*programs)
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.overlaps)
}

func (p *programs) note(name string, conn *vat.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		p.conns = map[string]*vat.Conn{}
	}
	p.conns[name] = conn
}

// ConnOf returns the connection of a native bundle's program, on its descriptor 3. Someone who takes over the bundle
// gets that and its links.
func (w *World) ConnOf(bundle string) *vat.Conn {
	p := w.launcher.host.Spawner.(*programs)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[bundle]
}

// dup duplicates a descriptor for a holder that outlives the lender.
func dup(f *os.File) (*os.File, error) {
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// A program is one running payload.
type program struct {
	clock   plat.Clock
	of      *programs
	name    string
	channel *os.File // its endowment channel
	pid     int
	kill    chan struct{}
	once    sync.Once
	done    chan struct{}
	exit    plat.Exit
}

func (p *program) PID() int              { return p.pid }
func (p *program) Done() <-chan struct{} { return p.done }
func (p *program) Gone() <-chan struct{} { return p.done }
func (p *program) Exit() plat.Exit       { return p.exit }
func (p *program) Terminate()            { p.Kill() }
func (p *program) Kill()                 { p.once.Do(func() { close(p.kill) }) }

func (p *program) live(text string, socket *os.File, out io.WriteCloser) {
	defer out.Close()
	defer socket.Close()
	defer p.channel.Close()
	verb, arg, _ := strings.Cut(text, " ")
	fmt.Fprintf(out, "%s %s\n", verb, arg)
	switch verb {
	case "exit":
		fmt.Sscan(arg, &p.exit.Code)
		return
	case "plain":
		<-p.kill
	default:
		if !p.serve(verb, arg, socket) {
			p.exit.Code = 1
			return
		}
	}
	p.exit.Signal = int(syscall.SIGKILL)
}

// serve answers on the program's connection until it is killed. It returns false if the program ends by itself.
func (p *program) serve(verb, arg string, socket *os.File) (killed bool) {
	conn, err := vat.Socket(socket)
	if err != nil {
		return false
	}
	server, name := p.server(verb, arg)
	if verb == "slow" { // as with another RPC library: nothing bounds the calls in flight
		served := rpc.NewConn(transport.NewStream(conn), &rpc.Options{BootstrapClient: p.slow(server)})
		defer served.Close()
		<-p.kill
		return true
	}
	served := vat.Connect(conn, capnp.Client(service.Service_ServerToClient(server)))
	defer served.Close()
	p.of.note(p.name, served)
	var over <-chan time.Time
	switch verb {
	case "tired":
		over = p.clock.After(tiredAfter)
	case "find":
		over = p.find(served, server.found)
	case "link", "rude", "keep", "cling":
		links, err := p.takeLinks(server)
		if err != nil {
			return false
		}
		defer links.Close()
		if verb == "keep" {
			over = p.callHeld(served, links, name, server)
			break
		}
		over = p.callLinked(served, links, name, server.found, verb == "rude")
	}
	select {
	case <-over:
		return false
	case <-p.kill:
	}
	if verb == "stuck" || verb == "cling" {
		p.of.told <- p.name
		<-p.of.letGo
	}
	return true
}

// server returns what a program serves, and the name of the facet that it looks up, if it does.
func (p *program) server(verb, arg string) (s native, name string) {
	s = native{verb: verb, version: arg, clock: p.clock, well: p.clock.Now(), began: p.clock.Now(),
		heard: &atomic.Value{}}
	switch verb {
	case "tired", "stuck", "find", "link", "rude", "keep", "cling":
		s.version, name, _ = strings.Cut(arg, " ")
		s.verb = "serve"
	case "late":
		s.verb, s.well = "serve", s.well.Add(lateAfter)
	case "slow":
		s.verb = "serve"
	}
	if slices.Contains([]string{"find", "link", "rude", "keep", "cling"}, verb) {
		s.found = make(chan struct{})
	}
	return s, name
}

// slow returns what a slow program serves.
func (p *program) slow(server native) capnp.Client {
	methods := bundle.BundleMgr_Methods(service.Service_Methods(nil, server), &stuck{end: p.kill})
	return capnp.NewClient(capnpserver.New(methods, nil, nil))
}

// stuck is a BundleMgr that answers only when its program ends, even if the caller has given up.
type stuck struct {
	bundle.BundleMgr_Server
	end chan struct{}
}

func (s *stuck) List(_ context.Context, call bundle.BundleMgr_list) error {
	call.Go()
	<-s.end
	return errors.New("the program has ended")
}

// find finds BundleMgr once, closes found, and calls it until a call fails. It then sends the time.
func (p *program) find(conn *vat.Conn, found chan<- struct{}) <-chan time.Time {
	over := make(chan time.Time, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-p.done
		cancel()
	}()
	go func() {
		defer func() { over <- p.clock.Now() }()
		services, err := conn.Bootstrap(ctx)
		if err != nil {
			return
		}
		defer services.Release()
		answer, release := registry.ServiceManager(services).Get(ctx,
			func(a registry.ServiceManager_get_Params) error { return a.SetName("BundleMgr") })
		defer release()
		res, err := answer.Struct()
		if err != nil {
			return
		}
		close(found)
		for err == nil {
			list, done := bundle.BundleMgr(res.Service()).List(ctx, nil)
			_, err = list.Struct()
			done()
			<-p.clock.After(findEvery)
		}
	}()
	return over
}

// native serves Service for a native program.
type native struct {
	verb, version string
	clock         plat.Clock
	well          time.Time // the program is starting until then
	began         time.Time
	found         chan struct{} // closed when the program has found its provider; nil if it looks for none
	heard         *atomic.Value // the version of the provider that answered last, if anything
}

func (n native) Version(_ context.Context, call service.Service_version) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetVersion(n.version)
}

// Health waits until the program has found its provider, if it looks for one, so that a commit proves that it was
// found.
func (n native) Health(ctx context.Context, call service.Service_health) error {
	if n.found != nil {
		call.Go()
		select {
		case <-n.found:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	says := n.now()
	if says == "mute" {
		call.Go()
		<-ctx.Done()
		return ctx.Err()
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetHealth(map[string]service.Health{
		"serve": service.Health_ok, "start": service.Health_starting, "fail": service.Health_failing,
	}[says])
	if heard, is := n.heard.Load().(string); is {
		return res.SetDetail(heard)
	}
	return res.SetDetail(says)
}

// now returns what the program does at the moment, as a verb without turns.
func (n native) now() string {
	age := n.clock.Now().Sub(n.began)
	switch {
	case n.clock.Now().Before(n.well):
		return "start"
	case n.verb != "sick" && n.verb != "moody" && n.verb != "mute":
		return n.verb
	case age < tiredAfter || n.verb == "moody" && age/tiredAfter%2 == 0:
		return "serve"
	case n.verb == "mute":
		return "mute"
	}
	return "fail"
}

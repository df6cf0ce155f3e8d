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
	"strings"
	"sync"
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

// Program makes a payload that is an ELF program for this machine as far as its header goes, and whose text the world's
// spawner understands: `serve VERSION` (native and healthy), `start VERSION` (native, never done with starting), `fail
// VERSION` (native, says that it fails), `late VERSION` (native, healthy only after lateAfter), `find VERSION` (serves,
// finds BundleMgr by name once and calls it every findEvery; ends with 1 when a call fails), `link VERSION NAME`
// (serves, takes links, and does the same with what stands behind the name), `rude VERSION NAME` (the same, with calls
// that are larger than any may be), `flaky VERSION` (ends with 1 the first time, then serves), `tired VERSION` (serves,
// and ends with 1 after tiredAfter), `stuck VERSION` (serves, and does not end when it is killed until LetGo), `sick
// VERSION` (serves, and says that it fails after tiredAfter), `moody VERSION` (serves and says that it fails by turns
// of tiredAfter), `mute VERSION` (serves, and gives no answer any more after tiredAfter), `slow VERSION` (serves, and
// BundleMgr beside it, of which no call ever returns), `plain` (runs), `exit CODE`.
func Program(text string) []byte {
	header := make([]byte, 64)
	copy(header, elf.ELFMAG)
	header[elf.EI_CLASS], header[elf.EI_DATA], header[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	binary.LittleEndian.PutUint16(header[16:], uint16(elf.ET_EXEC))
	binary.LittleEndian.PutUint16(header[18:], uint16(plat.Machine()))
	return append(header, text...)
}

// findEvery is the pause between two calls of a program that found somebody.
const findEvery = time.Second

// lateAfter is how long a late program starts: much longer than the default deadline of a trial, of which a busy
// machine, that is behind the world's clock, counts only a part.
const lateAfter = 10 * time.Minute

// tiredAfter is how long a tired program serves.
const tiredAfter = 3 * time.Second

// programs is a Spawner whose processes are goroutines that do what their payload's text says.
type programs struct {
	clock plat.Clock

	mu   sync.Mutex
	next int
	ran  map[string]bool // texts that were run before

	conns map[string]*vat.Conn // of the newest native program of each bundle

	letGo chan struct{} // closed when stuck programs may end
}

// LetGo has the programs end that were killed and are stuck.
func (w *World) LetGo() { close(w.launcher.host.Spawner.(*programs).letGo) }

// Sweep has nothing to do: a goroutine leaves no orphans.
func (p *programs) Sweep() {}

// Spawn reads the very file it is told to execute.
func (p *programs) Spawn(cmd plat.Command) (plat.Process, error) {
	raw, err := os.ReadFile(cmd.Path)
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
	text := string(bytes.TrimLeft(raw[64:], "\x00"))
	p.mu.Lock()
	p.next++
	if version, flaky := strings.CutPrefix(text, "flaky "); flaky {
		if text = "serve " + version; !p.ran[text] {
			p.ran, text = map[string]bool{text: true}, "exit 1"
		}
	}
	run := &program{clock: p.clock, of: p, name: cmd.Argv[0], channel: channel, pid: 1000 +
		p.next, kill: make(chan struct{}), done: make(chan struct{})}
	p.mu.Unlock()
	go run.live(text, socket, out)
	return run, nil
}

func (p *programs) note(name string, conn *vat.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		p.conns = map[string]*vat.Conn{}
	}
	p.conns[name] = conn
}

// ConnOf is the connection of a native bundle's program, on its descriptor 3: whoever takes the bundle over has this
// and its links.
func (w *World) ConnOf(bundle string) *vat.Conn {
	p := w.launcher.host.Spawner.(*programs)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[bundle]
}

// dup gives a descriptor of its own to whoever keeps it longer than its lender.
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
	defer close(p.done)
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
		conn, err := vat.Socket(socket)
		if err != nil {
			p.exit.Code = 1
			return
		}
		says := verb
		var name string
		if verb == "slow" {
			says = "serve"
		}
		if verb == "tired" || verb == "stuck" || verb == "find" || verb == "link" || verb == "rude" {
			says = "serve"
			arg, name, _ = strings.Cut(arg, " ")
		}
		server := native{verb: says, version: arg, clock: p.clock, well: p.clock.Now(), began: p.clock.Now()}
		if verb == "late" {
			server.verb, server.well = "serve", server.well.Add(lateAfter)
		}
		if verb == "find" || verb == "link" || verb == "rude" {
			server.found = make(chan struct{})
		}
		if verb == "slow" { // by another library than ours: nobody bounds what it has under way
			served := rpc.NewConn(transport.NewStream(conn), &rpc.Options{BootstrapClient: p.slow(server)})
			defer served.Close()
			<-p.kill
			break
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
		case "link", "rude":
			links, err := p.takeLinks(server)
			if err != nil {
				p.exit.Code = 1
				return
			}
			defer links.Close()
			over = p.callLinked(served, links, name, server.found, verb == "rude")
		}
		select {
		case <-over:
			p.exit.Code = 1
			return
		case <-p.kill:
		}
	}
	if verb == "stuck" {
		<-p.of.letGo
	}
	p.exit.Signal = int(syscall.SIGKILL)
}

// slow is what a slow program serves.
func (p *program) slow(server native) capnp.Client {
	methods := bundle.BundleMgr_Methods(service.Service_Methods(nil, server), &stuck{end: p.kill})
	return capnp.NewClient(capnpserver.New(methods, nil, nil))
}

// stuck is a BundleMgr that answers when its program ends, and does not care who has given up.
type stuck struct {
	bundle.BundleMgr_Server
	end chan struct{}
}

func (s *stuck) List(_ context.Context, call bundle.BundleMgr_list) error {
	call.Go()
	<-s.end
	return errors.New("the program has ended")
}

// find finds BundleMgr once, which closes found, and calls it again and again until a call fails. It tells when.
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

// native is the Service of a native program.
type native struct {
	verb, version string
	clock         plat.Clock
	well          time.Time // until then it is starting
	began         time.Time
	found         chan struct{} // closed when it has found what it looks for, nil if that is nothing
}

func (n native) Version(_ context.Context, call service.Service_version) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetVersion(n.version)
}

// Health of a program that looks for something is said once that is found: a good verdict on the boot then says that it
// was.
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
	return res.SetDetail(says)
}

// now is what it does at the moment, as one of the verbs that have no turns.
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

package initd

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"

	"capnproto.org/go/capnp/v3"

	rpc "nexus/capnpgen/powers"
	"nexus/daemons/convert"
	"nexus/daemons/initd/machine"
	"nexus/daemons/plat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/policy"
	"nexus/libupdates/powers"
	"nexus/libupdates/trust"
)

// listeners are the listening sockets of bundles. They belong to the system, not to a program: the next program with
// the same power gets the same socket, with the connections in its queue.
type listeners struct {
	mu   sync.Mutex
	open map[powers.Power]*os.File
}

// takeListeners takes over the sockets of the previous core.
func takeListeners(handed *machine.Handed) *listeners {
	l := &listeners{open: map[powers.Power]*os.File{}}
	for name := range handed.Files {
		text, isListener := strings.CutPrefix(name, machine.HandedListener)
		if !isListener {
			continue
		}
		file := handed.Take(name)
		if power, err := powers.Parse(text); err == nil {
			l.open[power] = file
		} else {
			file.Close()
		}
	}
	return l
}

// leave adds the sockets to what the next core inherits.
func (l *listeners) leave(files map[string]*os.File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for power, file := range l.open {
		files[machine.HandedListener+power.String()] = file
	}
}

// take returns a socket for each power, and opens those that are missing. If one fails, those that it opened are
// closed.
func (l *listeners) take(all []powers.Power) (files []*os.File, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var opened []powers.Power
	for _, power := range all {
		file := l.open[power]
		if file != nil && plat.Renew(file) != nil { // a program has changed its state
			file.Close()
			file = nil
		}
		if file == nil {
			if file, err = plat.ListenTCP(power.Port); err != nil {
				delete(l.open, power)
				l.close(opened)
				return nil, err
			}
			opened = append(opened, power)
		}
		l.open[power] = file
		files = append(files, file)
	}
	return files, nil
}

// holds reports whether there is an open socket for each power.
func (l *listeners) holds(all []powers.Power) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !slices.ContainsFunc(all, func(p powers.Power) bool { return l.open[p] == nil })
}

// keep closes all other sockets.
func (l *listeners) keep(wanted []powers.Power) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var unwanted []powers.Power
	for power := range l.open {
		if !slices.Contains(wanted, power) {
			unwanted = append(unwanted, power)
		}
	}
	l.close(unwanted)
}

// close closes sockets. The caller holds mu.
func (l *listeners) close(all []powers.Power) {
	for _, power := range all {
		l.open[power].Close()
		delete(l.open, power)
	}
}

// A socketServer is the BundleSockets capability. execd says which bundle it starts; initd decides what that bundle
// gets.
type socketServer struct {
	judge     *judge
	listeners *listeners
	lender    *lender
	hand      func(ticket string, socket *os.File) error
	states    *stateKeeper
	trees     *treeView
}

// Open gives execd what a bundle gets by its powers.
func (s *socketServer) Open(ctx context.Context, call rpc.BundleSockets_open) error {
	call.Go() // state may have to be copied
	o, err := readOpening(call.Args())
	if err != nil {
		return err
	}
	if o.ticket, err = call.Args().Ticket(); err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	err = s.refuse(o)
	var given places
	if err == nil {
		given, err = s.give(ctx, o)
	}
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return errors.Join(res.SetState(given.state), res.SetTrees(given.trees))
}

// refuse returns why the policy does not grant what a bundle asks for; nil if it does.
func (s *socketServer) refuse(o openCall) error {
	return policy.Refuse(s.judge.decide(o.publisher, []policy.Asking{{Bundle: o.bundle, Powers: o.powers}}))
}

// Holds tells execd whether a program that runs has what it would be given now.
func (s *socketServer) Holds(ctx context.Context, call rpc.BundleSockets_holds) error {
	call.Go() // the record has to be asked for
	o, err := readOpening(call.Args())
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetSame(s.holds(ctx, o))
	return nil
}

func (s *socketServer) holds(ctx context.Context, o openCall) bool {
	same := s.refuse(o) == nil && s.listeners.holds(powers.Of(powers.ListenTCP, o.powers)) && s.holdsDevices(o)
	for _, p := range powers.Of(powers.State, o.powers) {
		same = same && s.states.holds(ctx, o.bundle, o.set, o.user, p.Size)
	}
	return same
}

// places are the paths of what a program gets; empty: it gets none.
type places struct{ state, trees string }

// An openCall is what execd says of a program that it is about to start.
type openCall struct {
	bundle    string
	publisher trust.PublicKey
	powers    []string
	ticket    string
	set       bootctl.Digest
	user      uint32
}

// openArgs are what both calls about a program say.
type openArgs interface {
	Bundle() (string, error)
	Publisher() ([]byte, error)
	Powers() (capnp.TextList, error)
	Set() ([]byte, error)
	User() uint32
}

func readOpening(args openArgs) (o openCall, err error) {
	o.user = args.User()
	if o.bundle, err = args.Bundle(); err != nil {
		return o, err
	}
	if err := nxb.CheckName(o.bundle); err != nil {
		return o, err
	}
	if o.publisher, err = publisherOf(args.Publisher()); err != nil {
		return o, err
	}
	if o.powers, err = convert.PowersOf(args.Powers()); err != nil {
		return o, err
	}
	set, err := args.Set()
	if err != nil {
		return o, err
	}
	copy(o.set[:], set)
	return o, nil
}

// give opens what was granted and hands it over, and returns where the rest is.
func (s *socketServer) give(ctx context.Context, o openCall) (given places, err error) {
	for _, p := range powers.Of(powers.State, o.powers) {
		if given.state, err = s.states.open(ctx, o.bundle, o.set, o.user, p.Size); err != nil {
			return given, err
		}
	}
	if len(powers.Of(powers.Data, o.powers)) > 0 {
		if given.trees, err = s.trees.show(); err != nil {
			return given, err
		}
	}
	files, err := s.listeners.take(powers.Of(powers.ListenTCP, o.powers))
	if err != nil {
		return given, err
	}
	for _, file := range files {
		if err := s.hand(o.ticket, file); err != nil {
			return given, err
		}
	}
	return given, s.giveDevices(o)
}

// giveDevices opens the devices that a bundle was granted, anew for each program, and hands them over.
func (s *socketServer) giveDevices(o openCall) error {
	rules, _ := s.judge.now()
	for _, p := range powers.Of(powers.Device, o.powers) {
		device, err := s.lender.open(use{o.bundle, p.Name}, rules.Devices[p.Name])
		if err != nil {
			return err
		}
		err = s.hand(o.ticket, device)
		device.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// holdsDevices reports whether a program that runs has the devices that it would be given now.
func (s *socketServer) holdsDevices(o openCall) bool {
	rules, _ := s.judge.now()
	same := true
	for _, p := range powers.Of(powers.Device, o.powers) {
		same = s.lender.holds(use{o.bundle, p.Name}, rules.Devices[p.Name]) && same // each is asked, and forgotten
	}
	return same
}

// Keep closes the sockets that the running publication does not use.
func (s *socketServer) Keep(_ context.Context, call rpc.BundleSockets_keep) error {
	texts, err := textsOf(call.Args().Powers())
	if err != nil {
		return err
	}
	s.listeners.keep(powers.Of(powers.ListenTCP, texts))
	return nil
}

package execd

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"capnproto.org/go/capnp/v3"

	rpc "nexus/capnpgen/powers"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/powers"
)

// socketPatience bounds the wait for sockets that initd has sent, and for initd to close others.
const socketPatience = 10 * time.Second

// sockets are the listening sockets that initd sends for programs which are being started.
type sockets struct {
	holder *vat.Holding // initd's BundleSockets
	clock  plat.Clock
	log    *logclient.Log
	vat.Tickets
}

// An endowment is what a program gets by the powers of its bundle.
type endowment struct {
	listening files
	devices   files
	state     string            // the path of its state; empty: it has none
	data      map[string]string // the paths of trees, by the variables that tell them
}

// endow gets what a bundle is given that is about to be started.
func (l *launcher) endow(ctx context.Context, spec spec) (e endowment, err error) {
	if len(spec.powers) == 0 {
		return e, nil
	}
	e, folder, err := l.sockets.open(ctx, spec)
	if err == nil {
		e.data, err = l.trees.open(ctx, spec, folder)
	}
	if err != nil {
		e.close()
	}
	return e, err
}

// open asks initd for what a bundle gets, which decides that anew at each start. The bundle finds trees in the folder.
func (s *sockets) open(ctx context.Context, spec spec) (e endowment, folder string, err error) {
	ticket, arrived, forget := s.Expect(2 * powers.MaxSockets)
	defer forget()
	err = s.holder.Call(ctx, func(client capnp.Client) error {
		answer, release := rpc.BundleSockets(client).Open(ctx, func(p rpc.BundleSockets_open_Params) error {
			p.SetUser(spec.user)
			return errors.Join(p.SetBundle(spec.name), p.SetPublisher(spec.publisher), p.SetTicket(ticket),
				p.SetSet(spec.set), vat.SetTexts(p.NewPowers, spec.powers))
		})
		defer release()
		res, err := answer.Struct()
		if err != nil {
			return err
		}
		if err := convert.Refused(res.Refusal()); err != nil {
			return err
		}
		if e.state, err = res.State(); err != nil {
			return err
		}
		folder, err = res.Trees()
		return err
	})
	if err == nil {
		e.listening, err = s.await(ctx, len(spec.sockets()), arrived)
	}
	if err == nil {
		e.devices, err = s.await(ctx, len(spec.devices()), arrived)
	}
	return e, folder, err
}

// close closes execd's copies.
func (e endowment) close() {
	e.listening.Close()
	e.devices.Close()
}

// stillGiven reports whether a running program of a bundle has what initd would give it now. Without an answer it is
// false: the program is then started anew, with what it is granted.
func (s *sockets) stillGiven(ctx context.Context, spec spec) (same bool) {
	if len(spec.powers) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, socketPatience)
	defer cancel()
	err := s.holder.Call(ctx, func(client capnp.Client) error {
		answer, release := rpc.BundleSockets(client).Holds(ctx, func(p rpc.BundleSockets_holds_Params) error {
			p.SetUser(spec.user)
			return errors.Join(p.SetBundle(spec.name), p.SetPublisher(spec.publisher), p.SetSet(spec.set),
				vat.SetTexts(p.NewPowers, spec.powers))
		})
		defer release()
		res, err := answer.Struct()
		same = err == nil && res.Same()
		return err
	})
	if err != nil && ctx.Err() == nil {
		s.log.Warn("cannot ask for the powers of a bundle", "bundle", spec.name, "error", err)
	}
	return same
}

// await takes as many sockets as initd has sent.
func (s *sockets) await(ctx context.Context, n int, arrived <-chan *os.File) (all files, err error) {
	late := s.clock.After(socketPatience)
	for range n {
		select {
		case socket := <-arrived:
			all = append(all, socket)
		case <-late:
			all.Close()
			return nil, errors.New("cannot take sockets: they have not arrived")
		case <-ctx.Done():
			all.Close()
			return nil, ctx.Err()
		}
	}
	return all, nil
}

// sockets are the powers by which a bundle is handed sockets.
func (s spec) sockets() []powers.Power { return powers.Of(powers.ListenTCP, s.powers) }

// devices are the powers by which it is handed devices, which follow its sockets.
func (s spec) devices() []powers.Power { return powers.Of(powers.Device, s.powers) }

// keep has initd close the sockets that no bundle of a publication asks for.
func (s *sockets) keep(ctx context.Context, p publication) {
	ctx, cancel := context.WithTimeout(ctx, socketPatience)
	defer cancel()
	err := s.holder.Call(ctx, func(client capnp.Client) error {
		answer, release := rpc.BundleSockets(client).Keep(ctx, func(k rpc.BundleSockets_keep_Params) error {
			return vat.SetTexts(k.NewPowers, p.powers())
		})
		defer release()
		_, err := answer.Struct()
		return err
	})
	if err != nil && ctx.Err() == nil {
		s.log.Warn("cannot close sockets of the publication before", "error", err)
	}
}

// fileNames are how what a bundle is handed is called in LISTEN_FDNAMES: `tcp/8080`, `device/led`.
func (s spec) fileNames() []string {
	var names []string
	for _, power := range s.sockets() {
		_, name, _ := strings.Cut(power.String(), ":")
		names = append(names, name)
	}
	for _, power := range s.devices() {
		names = append(names, "device/"+power.Name)
	}
	return names
}

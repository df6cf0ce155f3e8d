package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/operator"
	"nexus/daemons/plat"
	"nexus/daemons/updateclient"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
	"nexus/libupdates/refusal"
)

// dialPatience bounds how long a system may take to answer at all.
const dialPatience = 10 * time.Second

// errGone reports that the system went away during a call.
var errGone = errors.New("the system went away")

// A session is one connection to a running system.
type session struct {
	facets
	in    *invocation
	conn  *vat.Conn
	files *guard.Files         // what came beside the messages of conn
	links []*updateclient.Link // of our own
}

// dial connects to the system. The caller closes the session.
func (in *invocation) dial(ctx context.Context) (*session, error) {
	socket, refused, err := in.stream(ctx)
	if err != nil {
		return nil, err
	}
	files := &guard.Files{}
	conn := vat.Connect(socket, capnp.Client{}, guard.AcceptFiles(files))
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	bootstrap, err := conn.Bootstrap(ctx)
	if err != nil {
		conn.Close()
		switch told := refused(); {
		case told != nil:
			err = told
		case lost(err):
			err = refusal.New(refusal.Disconnected,
				"it hung up at once: it is going down, or too many clients are connected")
		case ctx.Err() == nil: // it serves nothing to those for whom it has no place
			err = refusal.New(refusal.TooManyClients, "too many clients are connected: every place is taken")
		}
		return nil, err
	}
	return &session{facets: facets{operator.Operator(bootstrap)}, in: in, conn: conn, files: files}, nil
}

// stream opens the connection to the system. refused returns why the system refused it, once it has ended.
func (t *target) stream(ctx context.Context) (socket guard.Stream, refused func() error, err error) {
	if t.remote.To != "" {
		return t.dialElsewhere(ctx)
	}
	path := t.socket
	if path == "" {
		path = filepath.Join(t.dir, "control.sock")
	}
	local, err := plat.DialPath(path)
	switch {
	case errors.Is(err, os.ErrPermission):
		err = refusal.New(refusal.NotGranted, "its socket is not yours to open")
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		err = refusal.New(refusal.NotRunning, "no system runs there")
	}
	return local, func() error { return nil }, err
}

// comeBack reconnects after the connection has ended, because the system may continue under another core, or after a
// reboot of its machine. All capabilities from before are gone. It fails with errGone once no system runs there, at
// once if the system refuses our key, and with the cause of ctx when that ends.
func (s *session) comeBack(ctx context.Context) error {
	for {
		again, err := s.in.dial(ctx)
		switch {
		case err == nil:
			s.close()
			*s = *again
			return nil
		case refusal.Of(err) == refusal.NotRunning:
			return errGone
		case refusal.Of(err) == refusal.KeyRefused || refusal.Of(err) == refusal.WrongDevice:
			return err
		}
		timer := time.NewTimer(askAgainAfter)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// close ends the connection, and releases everything that was held over it.
func (s *session) close() {
	for _, link := range s.links {
		link.Close()
	}
	s.operator.Release()
	s.conn.Close()
}

// with runs a verb over a session.
func (in *invocation) with(ctx context.Context, f func(*session) error) error {
	s, err := in.dial(ctx)
	if err != nil {
		return cannot("reach the system", in.place(), err)
	}
	defer s.close()
	if err = f(s); err != nil && context.Cause(ctx) == errSilent {
		return errSilent
	}
	in.goesOn = lost(err) && s.answers(ctx)
	return err
}

// answers reports whether the system still answers on this connection. A call may fail a moment before the connection
// is known to have ended, so it asks.
func (s *session) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	root, err := s.conn.Bootstrap(ctx)
	root.Release()
	return err == nil
}

// answerPatience bounds a call that a running system answers at once.
const answerPatience = 30 * time.Second

// errSilent reports that a daemon hangs.
var errSilent = refusal.New(refusal.Stalled, "the system does not answer: one of its daemons hangs")

// patient returns a context for such a call.
func patient(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, answerPatience, errSilent)
}

// show asks the system for something that it answers at once, and prints it. The verb and the object are for the error.
func show[T any](ctx context.Context, in *invocation, verb, object string,
	ask func(context.Context, *facets) (T, error), print func(io.Writer, T)) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		found, err := ask(ctx, &s.facets)
		if err != nil {
			return cannot(verb, object, err)
		}
		return in.answer(found, func(w io.Writer) { print(w, found) })
	})
}

package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/exec"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/plat"
	"nexus/daemons/updateclient"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
	"nexus/libupdates/refusal"
)

// An Operator is a connection to the control socket.
type Operator struct {
	w    *World
	conn *vat.Conn
	cap  operator.Operator
	app  string // the package whose operator it is; empty: the system
}

// App returns the operator of a package of apps, on the same connection: what it asks, stages and rolls back is the
// package, which need not exist. The empty name is the system.
func (o *Operator) App(name string) *Operator {
	app := *o
	app.app = name
	return &app
}

// Operator connects to the control socket.
func (w *World) Operator() *Operator {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	o, err := w.TryOperator(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(o.Close)
	return o
}

// Dial connects to a socket in the system's folder, as a program would that knows nothing about operators.
func (w *World) Dial(t testing.TB, name string, options ...guard.Option) *vat.Conn {
	t.Helper()
	socket, err := plat.DialPath(filepath.Join(w.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return vat.Connect(socket, capnp.Client{}, options...)
}

// TryOperator is Operator for when the system may be down. The caller closes the result.
func (w *World) TryOperator(ctx context.Context) (*Operator, error) {
	socket, err := plat.DialPath(filepath.Join(w.Dir, "control.sock"))
	if err != nil {
		return nil, err
	}
	return w.operator(ctx, socket)
}

func (w *World) operator(ctx context.Context, socket net.Conn) (*Operator, error) {
	if w.tapping != nil {
		near, far, err := plat.StreamPair()
		if err != nil {
			return nil, err
		}
		defer near.Close()
		defer far.Close()
		own, errOwn := vat.Socket(near)
		middle, errMiddle := vat.Socket(far)
		if err := errors.Join(errOwn, errMiddle); err != nil {
			return nil, err
		}
		w.tapping.splice(link{"Operator", OperatorName, InitName}, middle, socket)
		socket = own
	}
	conn := vat.Connect(socket, capnp.Client{})
	client, err := conn.Bootstrap(ctx)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Operator{w: w, conn: conn, cap: operator.Operator(client)}, nil
}

// Close ends the connection, as the end of an `nx` process does.
func (o *Operator) Close() { o.conn.Close() }

// again repeats do while it fails because a daemon restarts.
func (o *Operator) again(ctx context.Context, do func(context.Context) error) error {
	for {
		err := do(ctx)
		if !vat.Disconnected(err) || ctx.Err() != nil {
			return err
		}
	}
}

// Updated returns the facet that stages and switches, which the caller releases.
func (o *Operator) Updated(ctx context.Context) (update.Updated, error) {
	if o.app != "" {
		app, err := o.open(ctx)
		return update.Updated(app), err
	}
	answer, release := o.cap.Updated(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return update.Updated{}, err
	}
	return res.Updated().AddRef(), nil
}

// open returns the package, which the caller releases.
func (o *Operator) open(ctx context.Context) (update.AppUpdate, error) {
	apps, releaseApps := o.cap.Apps(ctx, nil)
	defer releaseApps()
	answer, release := apps.Installer().Open(ctx,
		func(p update.AppInstaller_open_Params) error { return p.SetName(o.app) })
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return update.AppUpdate{}, err
	}
	return res.App().AddRef(), nil
}

// Uninstall uninstalls the package, without retries. All of its bundles have to be named.
func (o *Operator) Uninstall(bundles ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	apps, releaseApps := o.cap.Apps(ctx, nil)
	defer releaseApps()
	answer, release := apps.Installer().Uninstall(ctx,
		func(p update.AppInstaller_uninstall_Params) error { return vat.SetTexts(p.NewNames, bundles) })
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}

// A State is the status as tests ask for it.
type State struct {
	updateclient.Status
	Versions   [2]string // of slots a and b
	Next       string    // version of the staged set, or empty
	Quarantine int
	Rollback   string // reason of the last rollback, or empty
}

// Services returns what execd reports about each service, as `NAME VERSION: DETAIL`.
func (o *Operator) Services(ctx context.Context) (all []string, err error) {
	answer, release := o.cap.Services(ctx, nil)
	defer release()
	list, releaseList := answer.Services().List(ctx, nil)
	defer releaseList()
	res, err := list.Struct()
	if err != nil {
		return nil, err
	}
	services, err := res.Services()
	if err != nil {
		return nil, err
	}
	for i := range services.Len() {
		name, errName := services.At(i).Name()
		version, errVersion := services.At(i).Version()
		detail, errDetail := services.At(i).Detail()
		if err := errors.Join(errName, errVersion, errDetail); err != nil {
			return nil, err
		}
		all = append(all, fmt.Sprintf("%s %s: %s", name, version, detail))
	}
	return all, nil
}

// look is how long a query may take before the clock is wound and it is repeated.
const look = 100 * time.Millisecond

// State queries the status once. It fails while updated is down. A package that does not exist has an empty one.
func (o *Operator) State() (s State, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), look)
	defer cancel()
	facet, err := o.status(ctx)
	if err != nil {
		return s, err
	}
	defer facet.Release()
	status, err := updateclient.Get(ctx, facet)
	if o.app != "" && refusal.Of(convert.Excepted(err)) == refusal.UnknownApp {
		return s, nil
	}
	s = State{Status: status, Versions: [2]string{status.Slots[0].Version, status.Slots[1].Version},
		Next: status.Slots[2].Version, Quarantine: len(status.Quarantine)}
	if status.LastRollback != nil {
		s.Rollback = string(status.LastRollback.Reason)
	}
	return s, err
}

// status returns the facet that has the status, which the caller releases.
func (o *Operator) status(ctx context.Context) (update.UpdateStatus, error) {
	if o.app != "" {
		updated, err := o.Updated(ctx)
		return update.UpdateStatus(updated), err
	}
	answer, release := o.cap.Status(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return update.UpdateStatus{}, err
	}
	return res.Status().AddRef(), nil
}

// AwaitState queries the status until wanted accepts it, even across restarts of updated. It winds the clock by step
// between two queries.
func (o *Operator) AwaitState(what string, step time.Duration, wanted func(State) bool) State {
	o.w.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		s, err := o.State()
		if err == nil && wanted(s) {
			return s
		}
		if time.Now().After(deadline) {
			o.w.t.Fatalf("never saw %s; state %+v, %v\n%s", what, s, err, o.w.Console())
		}
		o.w.Clock.Wind(step)
	}
}

// Stage sends a set. It returns the staged system, which the caller releases, or the refusal.
func (o *Operator) Stage(archive []byte) (update.StagedSystem, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	updated, err := o.Updated(ctx)
	if err != nil {
		return update.StagedSystem{}, err
	}
	defer updated.Release()
	sink := updateclient.StageSystem(ctx, updated, nil, uint64(len(archive)), update.StageProgress{})
	defer sink.Release()
	set, err := sink.Send(ctx, bytes.NewReader(archive), nil)
	return set.System, err
}

// Switch puts a staged set on trial.
func (o *Operator) Switch(system update.StagedSystem) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return updateclient.Set{System: system}.Switch(ctx)
}

// Staged takes up the staged set, which the caller releases.
func (o *Operator) Staged() (system update.StagedSystem, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err = o.again(ctx, func(ctx context.Context) error {
		system, err = o.TryStaged(ctx)
		return err
	})
	return system, err
}

// TryStaged is Staged without retries.
func (o *Operator) TryStaged(ctx context.Context) (update.StagedSystem, error) {
	updated, err := o.Updated(ctx)
	if err != nil {
		return update.StagedSystem{}, err
	}
	defer updated.Release()
	set, err := updateclient.Staged(ctx, updated)
	return set.System, err
}

// SwitchAgain switches, winding the clock while daemons that the switch needs restart.
func (o *Operator) SwitchAgain(system update.StagedSystem, step time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		err := o.Switch(system)
		if err == nil || refusal.Of(err) != refusal.IO || time.Now().After(deadline) {
			return err
		}
		o.w.Clock.Wind(step)
	}
}

// Discard discards the staged set.
func (o *Operator) Discard() {
	o.w.t.Helper()
	staged, err := o.Staged()
	if err != nil {
		o.w.t.Fatal(err)
	}
	defer staged.Release()
	if err := o.TryDiscard(staged); err != nil {
		o.w.t.Fatal(err)
	}
}

// Reboot orders the system to restart.
func (o *Operator) Reboot() error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	answer, release := o.cap.Reboot(ctx, nil)
	defer release()
	_, err := answer.Struct()
	return err
}

// Revoke revokes a service from a daemon.
func (o *Operator) Revoke(client, service string) error {
	return o.withAuthority(func(ctx context.Context, a operator.Authority) error {
		answer, release := a.Revoke(ctx, func(p operator.Authority_revoke_Params) error {
			return errors.Join(p.SetClient(client), p.SetService(service))
		})
		defer release()
		_, err := convert.Outcome(answer.Struct())
		return err
	})
}

// Grant undoes Revoke.
func (o *Operator) Grant(client, service string) error {
	return o.withAuthority(func(ctx context.Context, a operator.Authority) error {
		answer, release := a.Grant(ctx, func(p operator.Authority_grant_Params) error {
			return errors.Join(p.SetClient(client), p.SetService(service))
		})
		defer release()
		_, err := convert.Outcome(answer.Struct())
		return err
	})
}

func (o *Operator) withAuthority(ask func(context.Context, operator.Authority) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	answer, release := o.cap.Authority(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	return ask(ctx, res.Authority())
}

// An Edge is one line of the authority graph.
type Edge struct {
	Holder, Facet, Provider string
	Grants                  []string
}

// Graph returns the authority graph as the system shows it.
func (o *Operator) Graph() (edges []Edge) {
	o.w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	answer, release := o.cap.Graph(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		o.w.t.Fatal(err)
	}
	list, err := res.Edges()
	if err != nil {
		o.w.t.Fatal(err)
	}
	for i := range list.Len() {
		edge, err := readEdge(list.At(i))
		if err != nil {
			o.w.t.Fatal(err)
		}
		edges = append(edges, edge)
	}
	return edges
}

func readEdge(m operator.Edge) (e Edge, err error) {
	if e.Holder, err = m.Holder(); err != nil {
		return e, err
	}
	if e.Facet, err = m.Facet(); err != nil {
		return e, err
	}
	if e.Provider, err = m.Provider(); err != nil {
		return e, err
	}
	grants, err := m.Grants()
	if err != nil {
		return e, err
	}
	e.Grants, err = vat.Texts(grants)
	return e, err
}

// TryDiscard discards a staged set, without retries.
func (o *Operator) TryDiscard(system update.StagedSystem) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return updateclient.Set{System: system}.Discard(ctx)
}

// Rollback asks for a rollback, without retries.
func (o *Operator) Rollback() error {
	return o.recover(func(ctx context.Context, r update.UpdateRecovery) error {
		answer, release := r.Rollback(ctx, nil)
		defer release()
		_, err := convert.Outcome(answer.Struct())
		return err
	})
}

// EndStage ends the stage in progress. ended reports whether there was one.
func (o *Operator) EndStage() (ended bool, err error) {
	err = o.recover(func(ctx context.Context, r update.UpdateRecovery) error {
		answer, release := r.EndStage(ctx, nil)
		defer release()
		res, err := answer.Struct()
		ended = res.Ended()
		return err
	})
	return ended, err
}

func (o *Operator) recover(ask func(context.Context, update.UpdateRecovery) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if o.app != "" {
		app, err := o.open(ctx)
		if err != nil {
			return err
		}
		defer app.Release()
		return ask(ctx, update.UpdateRecovery(app))
	}
	answer, release := o.cap.Recovery(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	return ask(ctx, res.Recovery())
}

// ServiceWatch returns the facet that reports the state of the services. It is released when ctx ends.
func (o *Operator) ServiceWatch(ctx context.Context) exec.ServiceWatch {
	answer, release := o.cap.Services(ctx, nil)
	context.AfterFunc(ctx, release)
	return answer.Services()
}

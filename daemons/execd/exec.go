package execd

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/exec"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

// An execServer serves Exec: it runs bundles on demand.
type execServer struct {
	s    *supervisor
	by   logclient.Caller
	runs *atomic.Uint64 // how many programs were started on demand
}

// Run starts a bundle whose manifest allows that.
func (e *execServer) Run(ctx context.Context, call exec.Exec_run) error {
	call.Go()
	name, err := call.Args().Bundle()
	if err != nil {
		return err
	}
	p, err := e.run(ctx, name)
	e.s.log.Audit(logclient.Audit{Op: "run", Detail: fmt.Sprintf("bundle=%.64q", name), By: e.by}.Outcome(err))
	if err != nil {
		return convert.Except(err)
	}
	res, err := call.AllocResults()
	if err != nil {
		p.Shutdown()
		return err
	}
	return res.SetProcess(exec.Process_ServerToClient(p))
}

// run starts a bundle. The program outlives the call; it ends when the returned capability is released, and with the
// package of apps that it is of.
func (e *execServer) run(ctx context.Context, name string) (*processServer, error) {
	spec, err := e.lookUp(ctx, name)
	if err != nil {
		return nil, err
	}
	ends, done, err := e.s.apps.demand(spec)
	if err != nil {
		return nil, err
	}
	program, err := e.s.launcher.start(ctx, spec, fmt.Sprintf("%s#%d", spec.name, e.runs.Add(1)), func() {})
	if err != nil {
		done()
		return nil, err
	}
	p := &processServer{s: e.s, spec: spec, program: program, reported: make(chan struct{})}
	go func() {
		defer close(p.reported)
		e.s.launcher.reportRun(spec, program)
	}()
	go func() {
		defer done()
		program.endWith(ends, e.s.clock)
	}()
	return p, nil
}

// lookUp returns a published bundle that may be run on demand.
func (e *execServer) lookUp(ctx context.Context, name string) (spec, error) {
	client, err := e.s.bundles.Get(ctx)
	if err != nil {
		return spec{}, err
	}
	defer client.Release()
	answer, release := bundle.BundleMgr(client).List(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return spec{}, err
	}
	p, err := res.Publication()
	if err != nil {
		return spec{}, err
	}
	published, err := readPublication(p)
	if err != nil {
		return spec{}, err
	}
	e.s.apps.assign(published, false)
	for _, found := range published.all() {
		switch {
		case found.name != name:
		case slices.Contains(found.abilities, nxb.AbilityMain):
			return found, nil
		case slices.Contains(found.abilities, nxb.AbilityService):
			return spec{}, refusal.New(refusal.NotRunnable, "%s is a service: the system starts it by itself", name)
		default:
			return spec{}, refusal.New(refusal.NotRunnable, "%s does not name %s", name, nxb.AbilityMain)
		}
	}
	return spec{}, refusal.New(refusal.UnknownBundle, "no published bundle has this name")
}

// A processServer serves Process: one program that was run on demand. The program ends when the last reference is
// released.
type processServer struct {
	s        *supervisor
	spec     spec
	program  *program
	reported chan struct{} // closed once its end was reported
}

// Wait returns when the program has ended.
func (p *processServer) Wait(ctx context.Context, call exec.Process_wait) error {
	call.Go()
	select {
	case <-p.program.process.Done():
	case <-ctx.Done():
		return ctx.Err()
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	exit := p.program.process.Exit()
	res.SetExitCode(int32(exit.Code))
	res.SetSignal(int32(exit.Signal))
	return nil
}

// Kill kills the program.
func (p *processServer) Kill(context.Context, exec.Process_kill) error {
	p.program.process.Kill()
	return nil
}

// Shutdown is called when the last reference is released.
func (p *processServer) Shutdown() {
	p.program.process.Kill()
	go func() {
		within(p.s.clock, killPatience, p.reported) // the report reads what dismiss removes
		p.s.dismiss(p.spec, p.program)
	}()
}

package initd

import (
	"context"
	"os"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/exec"
	"nexus/capnpgen/journal"
	"nexus/capnpgen/keystore"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/packagefs"
	"nexus/capnpgen/update"
	"nexus/daemons/initd/links"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// An operatorServer serves Operator: each method hands out a facet of a daemon.
type operatorServer struct {
	s       *system
	session *links.Session // over whose links the facets are reached
	methods []string       // what this Operator has: see system.operator
	files   *guard.Files   // what came beside the messages of its connection; nil where that carries none
}

// give places a facet into results that are about to be sent.
func give[T ~capnp.ClientKind](o *operatorServer, ctx context.Context, facet string, set func(T) error) error {
	client, err := o.session.HandOut(ctx, facet)
	if err != nil {
		return err
	}
	return set(T(client))
}

func (o *operatorServer) Status(ctx context.Context, call operator.Operator_status) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[update.UpdateStatus](o, ctx, "UpdateStatus", res.SetStatus)
}

func (o *operatorServer) Updated(ctx context.Context, call operator.Operator_updated) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[update.Updated](o, ctx, "Updated", res.SetUpdated)
}

func (o *operatorServer) Recovery(ctx context.Context, call operator.Operator_recovery) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[update.UpdateRecovery](o, ctx, "UpdateRecovery", res.SetRecovery)
}

func (o *operatorServer) Journal(ctx context.Context, call operator.Operator_journal) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[journal.Journal](o, ctx, "Journal", res.SetJournal)
}

func (o *operatorServer) Bundles(ctx context.Context, call operator.Operator_bundles) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[bundle.BundleMgr](o, ctx, "BundleMgr", res.SetBundles)
}

func (o *operatorServer) Packages(ctx context.Context, call operator.Operator_packages) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[packagefs.PackageFs](o, ctx, "PackageFs", res.SetPackages)
}

func (o *operatorServer) Services(ctx context.Context, call operator.Operator_services) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[exec.ServiceWatch](o, ctx, "ServiceWatch", res.SetServices)
}

func (o *operatorServer) Exec(ctx context.Context, call operator.Operator_exec) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[exec.Exec](o, ctx, "Exec", res.SetExec)
}

func (o *operatorServer) Anchors(ctx context.Context, call operator.Operator_anchors) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[keystore.TrustAnchors](o, ctx, "TrustAnchors", res.SetAnchors)
}

func (o *operatorServer) Stage(ctx context.Context, call operator.Operator_stage) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[update.UpdateStage](o, ctx, "UpdateStage", res.SetStage)
}

func (o *operatorServer) Daemons(_ context.Context, call operator.Operator_daemons) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	daemons := o.s.daemons.Statuses()
	list, err := res.NewDaemons(int32(1 + len(daemons)))
	if err != nil {
		return err
	}
	if err := describe(list.At(0), initName, os.Getpid(), true); err != nil {
		return err
	}
	for i, s := range daemons {
		d := list.At(1 + i)
		d.SetRestarts(s.Restarts)
		if err := describe(d, s.Name, s.PID, s.Ready); err != nil {
			return err
		}
		if err := d.SetLastExit(s.LastExit); err != nil {
			return err
		}
		if err := setMeasures(d, s.Measures); err != nil {
			return err
		}
	}
	return nil
}

// describe says what is the same for initd and those it starts. A pid of 0 is that of a daemon that does not run.
func describe(d operator.DaemonStatus, name string, pid int, ready bool) error {
	d.SetPid(uint32(pid))
	d.SetReady(ready)
	if pid != 0 {
		d.SetPssBytes(plat.PSS(pid))
	}
	return d.SetName(name)
}

// setMeasures says how a daemon's process is confined.
func setMeasures(d operator.DaemonStatus, measures []plat.Measure) error {
	list, err := d.NewMeasures(int32(len(measures)))
	if err != nil {
		return err
	}
	for i, measure := range measures {
		m := list.At(i)
		m.SetOn(measure.On)
		if err := m.SetName(measure.Name); err != nil {
			return err
		}
		if err := m.SetDetail(measure.Detail); err != nil {
			return err
		}
	}
	return nil
}

func (o *operatorServer) Graph(_ context.Context, call operator.Operator_graph) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	edges := graph(o.s.granted(), o.s.ways.open(o.s.config.roles()))
	list, err := res.NewEdges(int32(len(edges)))
	if err != nil {
		return err
	}
	for i, edge := range edges {
		e := list.At(i)
		if err := e.SetHolder(edge.holder); err != nil {
			return err
		}
		if err := e.SetFacet(edge.Facet); err != nil {
			return err
		}
		if err := e.SetProvider(edge.From); err != nil {
			return err
		}
		if err := vat.SetTexts(e.NewGrants, edge.Grants); err != nil {
			return err
		}
	}
	return nil
}

func (o *operatorServer) Stop(_ context.Context, _ operator.Operator_stop) error {
	o.s.log.Info("stop ordered by operator")
	return o.s.ending.endBy(outcome{ordered: true})
}

func (o *operatorServer) Reboot(_ context.Context, _ operator.Operator_reboot) error {
	o.s.log.Info("reboot ordered by operator")
	return o.s.ending.endBy(outcome{ordered: true, again: true})
}

func (o *operatorServer) Watchdog(_ context.Context, call operator.Operator_watchdog) error {
	res, err := call.AllocResults()
	if err != nil || o.s.config.machine == nil {
		return err
	}
	w, err := res.NewWatchdog()
	if err != nil {
		return err
	}
	status := o.s.config.machine.Watchdog()
	if !status.On {
		return w.SetDetail(status.Missing)
	}
	w.SetOn(true)
	w.SetTimeoutMs(uint32(status.Timeout / time.Millisecond))
	return w.SetName(status.Name)
}

// A graphEdge is one line of `nx graph`.
type graphEdge struct {
	holder string
	Edge
}

// graph flattens the table: for each row its facets, then its resources; then the roles by which somebody may come in.
func graph(table []Daemon, roles []Role) []graphEdge {
	var edges []graphEdge
	for _, row := range table {
		for _, edge := range row.Holds {
			edges = append(edges, graphEdge{row.Name, edge})
		}
		for _, name := range row.Dirs {
			edges = append(edges, graphEdge{row.Name, Edge{Facet: "dir:" + name}})
		}
		for _, name := range row.Files {
			edges = append(edges, graphEdge{row.Name, Edge{Facet: "file:" + name}})
		}
		for _, name := range row.Takes {
			edges = append(edges, graphEdge{row.Name, Edge{Facet: "handed:" + name}})
		}
	}
	for _, role := range roles {
		edges = append(edges, graphEdge{role.Name, role.Edge()})
	}
	return edges
}

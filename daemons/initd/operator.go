package initd

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/exec"
	"nexus/capnpgen/journal"
	"nexus/capnpgen/keystore"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/packagefs"
	"nexus/capnpgen/update"
	"nexus/daemons/initd/links"
	"nexus/daemons/logclient"
	"nexus/daemons/vat/guard"
)

// An operatorServer serves Operator. Each part of it has what its methods need and no more.
type operatorServer struct {
	facetServer
	viewServer
	endServer
	fileServer
	s        *system
	methods  []string // what this Operator has: see system.operator
	withheld []string // what its connection is too many for
}

func newOperatorServer(s *system, session *links.Session, methods, withheld []string,
	files *guard.Files) *operatorServer {
	return &operatorServer{
		facetServer: facetServer{session},
		viewServer:  viewServer{s.daemons, s.graph, s.config.machine},
		endServer:   endServer{s.ending, s.log},
		fileServer:  fileServer{files, s.hand},
		s:           s,
		methods:     methods,
		withheld:    withheld,
	}
}

// A facetServer hands out facets of daemons over the links of a session.
type facetServer struct{ session *links.Session }

// give places a facet into results that are about to be sent.
func give[T ~capnp.ClientKind](o facetServer, ctx context.Context, facet string, set func(T) error) error {
	client, err := o.session.HandOut(ctx, facet)
	if err != nil {
		return err
	}
	return set(T(client))
}

func (o facetServer) Status(ctx context.Context, call operator.Operator_status) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[update.UpdateStatus](o, ctx, "UpdateStatus", res.SetStatus)
}

func (o facetServer) Updated(ctx context.Context, call operator.Operator_updated) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[update.Updated](o, ctx, "Updated", res.SetUpdated)
}

func (o facetServer) Recovery(ctx context.Context, call operator.Operator_recovery) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[update.UpdateRecovery](o, ctx, "UpdateRecovery", res.SetRecovery)
}

func (o facetServer) Journal(ctx context.Context, call operator.Operator_journal) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[journal.Journal](o, ctx, "Journal", res.SetJournal)
}

func (o facetServer) Bundles(ctx context.Context, call operator.Operator_bundles) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[bundle.BundleMgr](o, ctx, "BundleMgr", res.SetBundles)
}

func (o facetServer) Packages(ctx context.Context, call operator.Operator_packages) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[packagefs.PackageFs](o, ctx, "PackageFs", res.SetPackages)
}

func (o facetServer) Services(ctx context.Context, call operator.Operator_services) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[exec.ServiceWatch](o, ctx, "ServiceWatch", res.SetServices)
}

func (o facetServer) Exec(ctx context.Context, call operator.Operator_exec) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[exec.Exec](o, ctx, "Exec", res.SetExec)
}

func (o facetServer) Anchors(ctx context.Context, call operator.Operator_anchors) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[keystore.TrustAnchors](o, ctx, "TrustAnchors", res.SetAnchors)
}

func (o facetServer) Stage(ctx context.Context, call operator.Operator_stage) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return give[update.UpdateStage](o, ctx, "UpdateStage", res.SetStage)
}

// An endServer ends the system.
type endServer struct {
	ending *ending
	log    *logclient.Log
}

func (o endServer) Stop(_ context.Context, _ operator.Operator_stop) error {
	o.log.Info("stop ordered by operator")
	return o.ending.endBy(outcome{ordered: true})
}

func (o endServer) Reboot(_ context.Context, _ operator.Operator_reboot) error {
	o.log.Info("reboot ordered by operator")
	return o.ending.endBy(outcome{ordered: true, again: true})
}

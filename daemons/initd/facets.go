package initd

import (
	"context"
	"fmt"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/operator"
)

// A facetServer hands out facets of daemons: over the session's links, on which initd forwards each call, or over
// direct links of the peer.
type facetServer struct{ grant }

// facetOf returns the facet that a method of Operator returns, or "".
func facetOf(method string) string {
	switch method {
	case "status":
		return "UpdateStatus"
	case "updated":
		return "Updated"
	case "recovery":
		return "UpdateRecovery"
	case "journal":
		return "Journal"
	case "bundles":
		return "BundleMgr"
	case "packages":
		return "PackageFs"
	case "services":
		return "ServiceWatch"
	case "exec":
		return "Exec"
	case "anchors":
		return "TrustAnchors"
	case "stage":
		return "UpdateStage"
	case "fetch":
		return "Fetcher"
	case "apps":
		return "AppInstaller"
	case "fetchApps":
		return "AppFetcher"
	}
	return ""
}

// give puts the facet of a method into its results. They are sent only once the daemon has been linked.
func give[R any, T ~capnp.ClientKind](ctx context.Context, o facetServer, method string, wait func(),
	alloc func() (R, error), set func(R, T) error) error {
	wait()
	res, err := alloc()
	if err != nil {
		return err
	}
	client, err := o.session.HandOut(ctx, facetOf(method))
	if err != nil {
		return err
	}
	return set(res, T(client))
}

func (o facetServer) Status(ctx context.Context, c operator.Operator_status) error {
	return give(ctx, o, "status", c.Go, c.AllocResults, operator.Operator_status_Results.SetStatus)
}

func (o facetServer) Updated(ctx context.Context, c operator.Operator_updated) error {
	return give(ctx, o, "updated", c.Go, c.AllocResults, operator.Operator_updated_Results.SetUpdated)
}

func (o facetServer) Recovery(ctx context.Context, c operator.Operator_recovery) error {
	return give(ctx, o, "recovery", c.Go, c.AllocResults, operator.Operator_recovery_Results.SetRecovery)
}

func (o facetServer) Journal(ctx context.Context, c operator.Operator_journal) error {
	return give(ctx, o, "journal", c.Go, c.AllocResults, operator.Operator_journal_Results.SetJournal)
}

func (o facetServer) Bundles(ctx context.Context, c operator.Operator_bundles) error {
	return give(ctx, o, "bundles", c.Go, c.AllocResults, operator.Operator_bundles_Results.SetBundles)
}

func (o facetServer) Packages(ctx context.Context, c operator.Operator_packages) error {
	return give(ctx, o, "packages", c.Go, c.AllocResults, operator.Operator_packages_Results.SetPackages)
}

func (o facetServer) Services(ctx context.Context, c operator.Operator_services) error {
	return give(ctx, o, "services", c.Go, c.AllocResults, operator.Operator_services_Results.SetServices)
}

func (o facetServer) Exec(ctx context.Context, c operator.Operator_exec) error {
	return give(ctx, o, "exec", c.Go, c.AllocResults, operator.Operator_exec_Results.SetExec)
}

func (o facetServer) Anchors(ctx context.Context, c operator.Operator_anchors) error {
	return give(ctx, o, "anchors", c.Go, c.AllocResults, operator.Operator_anchors_Results.SetAnchors)
}

func (o facetServer) Stage(ctx context.Context, c operator.Operator_stage) error {
	return give(ctx, o, "stage", c.Go, c.AllocResults, operator.Operator_stage_Results.SetStage)
}

func (o facetServer) Apps(ctx context.Context, c operator.Operator_apps) error {
	return give(ctx, o, "apps", c.Go, c.AllocResults, operator.Operator_apps_Results.SetInstaller)
}

// Link links the peer with the daemon of a method's facet. The peer's end goes with the answer, as a descriptor.
func (o facetServer) Link(ctx context.Context, call operator.Operator_link) error {
	call.Go()
	method, err := call.Args().Method()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	switch refused := o.refuse(method); {
	case o.attach == nil:
		return capnp.Unimplemented("this connection carries no descriptors")
	case facetOf(method) == "":
		return fmt.Errorf("cannot make link: %q returns no facet", method)
	case refused != nil:
		return refused
	}
	end, cut, err := o.session.Direct(ctx, facetOf(method))
	if err != nil {
		return err
	}
	defer end.Close()
	if err := o.attach(end); err != nil {
		cut()
		return err
	}
	return res.SetLink(operator.Link_ServerToClient(directLink{cut}))
}

// A directLink is the capability by which a peer keeps its link.
type directLink struct{ cut func() }

// Shutdown runs when the peer has dropped the capability or has died.
func (l directLink) Shutdown() { l.cut() }

func (o facetServer) Fetch(ctx context.Context, c operator.Operator_fetch) error {
	return give(ctx, o, "fetch", c.Go, c.AllocResults, operator.Operator_fetch_Results.SetFetcher)
}

func (o facetServer) FetchApps(ctx context.Context, c operator.Operator_fetchApps) error {
	return give(ctx, o, "fetchApps", c.Go, c.AllocResults, operator.Operator_fetchApps_Results.SetFetcher)
}

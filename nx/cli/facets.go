package cli

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/exec"
	"nexus/capnpgen/fetch"
	"nexus/capnpgen/journal"
	"nexus/capnpgen/keystore"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/packagefs"
	"nexus/capnpgen/powers"
	"nexus/capnpgen/update"
)

// The facets of the operator's facet come as promises: a call on one travels with the question for it, so that both
// take one round trip. It fails as the question does if that is refused, and as disconnected if the daemon does not
// run. The caller calls the function that comes with the facet when it needs neither the facet nor its answers any
// more.

// facets asks a system for them.
type facets struct{ operator operator.Operator }

func (f *facets) status(ctx context.Context) (update.UpdateStatus, capnp.ReleaseFunc) {
	answer, release := f.operator.Status(ctx, nil)
	return answer.Status(), release
}

func (f *facets) fetcher(ctx context.Context) (fetch.Fetcher, capnp.ReleaseFunc) {
	answer, release := f.operator.Fetch(ctx, nil)
	return answer.Fetcher(), release
}

func (f *facets) appFetcher(ctx context.Context) (fetch.AppFetcher, capnp.ReleaseFunc) {
	answer, release := f.operator.FetchApps(ctx, nil)
	return answer.Fetcher(), release
}

func (f *facets) installer(ctx context.Context) (update.AppInstaller, capnp.ReleaseFunc) {
	answer, release := f.operator.Apps(ctx, nil)
	return answer.Installer(), release
}

func (f *facets) updated(ctx context.Context) (update.Updated, capnp.ReleaseFunc) {
	answer, release := f.operator.Updated(ctx, nil)
	return answer.Updated(), release
}

func (f *facets) stager(ctx context.Context) (update.UpdateStage, capnp.ReleaseFunc) {
	answer, release := f.operator.Stage(ctx, nil)
	return answer.Stage(), release
}

func (f *facets) recovery(ctx context.Context) (update.UpdateRecovery, capnp.ReleaseFunc) {
	answer, release := f.operator.Recovery(ctx, nil)
	return answer.Recovery(), release
}

func (f *facets) journal(ctx context.Context) (journal.Journal, capnp.ReleaseFunc) {
	answer, release := f.operator.Journal(ctx, nil)
	return answer.Journal(), release
}

func (f *facets) bundles(ctx context.Context) (bundle.BundleMgr, capnp.ReleaseFunc) {
	answer, release := f.operator.Bundles(ctx, nil)
	return answer.Bundles(), release
}

func (f *facets) packageFs(ctx context.Context) (packagefs.PackageFs, capnp.ReleaseFunc) {
	answer, release := f.operator.Packages(ctx, nil)
	return answer.Packages(), release
}

func (f *facets) services(ctx context.Context) (exec.ServiceWatch, capnp.ReleaseFunc) {
	answer, release := f.operator.Services(ctx, nil)
	return answer.Services(), release
}

func (f *facets) exec(ctx context.Context) (exec.Exec, capnp.ReleaseFunc) {
	answer, release := f.operator.Exec(ctx, nil)
	return answer.Exec(), release
}

func (f *facets) authority(ctx context.Context) (operator.Authority, capnp.ReleaseFunc) {
	answer, release := f.operator.Authority(ctx, nil)
	return answer.Authority(), release
}

func (f *facets) stateKeeper(ctx context.Context) (powers.StateKeeper, capnp.ReleaseFunc) {
	answer, release := f.operator.State(ctx, nil)
	return answer.Keeper(), release
}

func (f *facets) judge(ctx context.Context) (powers.PowerJudge, capnp.ReleaseFunc) {
	answer, release := f.operator.Powers(ctx, nil)
	return answer.Judge(), release
}

func (f *facets) policyEditor(ctx context.Context) (powers.PolicyEditor, capnp.ReleaseFunc) {
	answer, release := f.operator.Policy(ctx, nil)
	return answer.Policy(), release
}

func (f *facets) trusted(ctx context.Context) (keystore.TrustAnchors, capnp.ReleaseFunc) {
	answer, release := f.operator.Anchors(ctx, nil)
	return answer.Anchors(), release
}

func (f *facets) trustEditor(ctx context.Context) (operator.TrustEditor, capnp.ReleaseFunc) {
	answer, release := f.operator.Trust(ctx, nil)
	return answer.Trust(), release
}

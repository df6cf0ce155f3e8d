package cli

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/exec"
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

func (s *session) status(ctx context.Context) (update.UpdateStatus, capnp.ReleaseFunc) {
	answer, release := s.operator.Status(ctx, nil)
	return answer.Status(), release
}

func (s *session) installer(ctx context.Context) (update.AppInstaller, capnp.ReleaseFunc) {
	answer, release := s.operator.Apps(ctx, nil)
	return answer.Installer(), release
}

func (s *session) updated(ctx context.Context) (update.Updated, capnp.ReleaseFunc) {
	answer, release := s.operator.Updated(ctx, nil)
	return answer.Updated(), release
}

func (s *session) stager(ctx context.Context) (update.UpdateStage, capnp.ReleaseFunc) {
	answer, release := s.operator.Stage(ctx, nil)
	return answer.Stage(), release
}

func (s *session) recovery(ctx context.Context) (update.UpdateRecovery, capnp.ReleaseFunc) {
	answer, release := s.operator.Recovery(ctx, nil)
	return answer.Recovery(), release
}

func (s *session) journal(ctx context.Context) (journal.Journal, capnp.ReleaseFunc) {
	answer, release := s.operator.Journal(ctx, nil)
	return answer.Journal(), release
}

func (s *session) bundles(ctx context.Context) (bundle.BundleMgr, capnp.ReleaseFunc) {
	answer, release := s.operator.Bundles(ctx, nil)
	return answer.Bundles(), release
}

func (s *session) packageFs(ctx context.Context) (packagefs.PackageFs, capnp.ReleaseFunc) {
	answer, release := s.operator.Packages(ctx, nil)
	return answer.Packages(), release
}

func (s *session) services(ctx context.Context) (exec.ServiceWatch, capnp.ReleaseFunc) {
	answer, release := s.operator.Services(ctx, nil)
	return answer.Services(), release
}

func (s *session) exec(ctx context.Context) (exec.Exec, capnp.ReleaseFunc) {
	answer, release := s.operator.Exec(ctx, nil)
	return answer.Exec(), release
}

func (s *session) authority(ctx context.Context) (operator.Authority, capnp.ReleaseFunc) {
	answer, release := s.operator.Authority(ctx, nil)
	return answer.Authority(), release
}

func (s *session) stateKeeper(ctx context.Context) (powers.StateKeeper, capnp.ReleaseFunc) {
	answer, release := s.operator.State(ctx, nil)
	return answer.Keeper(), release
}

func (s *session) judge(ctx context.Context) (powers.PowerJudge, capnp.ReleaseFunc) {
	answer, release := s.operator.Powers(ctx, nil)
	return answer.Judge(), release
}

func (s *session) policyEditor(ctx context.Context) (powers.PolicyEditor, capnp.ReleaseFunc) {
	answer, release := s.operator.Policy(ctx, nil)
	return answer.Policy(), release
}

func (s *session) trusted(ctx context.Context) (keystore.TrustAnchors, capnp.ReleaseFunc) {
	answer, release := s.operator.Anchors(ctx, nil)
	return answer.Anchors(), release
}

func (s *session) trustEditor(ctx context.Context) (operator.TrustEditor, capnp.ReleaseFunc) {
	answer, release := s.operator.Trust(ctx, nil)
	return answer.Trust(), release
}

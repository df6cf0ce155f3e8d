package cli

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/exec"
	"nexus/capnpgen/journal"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/update"
)

// facet asks the operator's facet for another one, by a call and the getter of its results. The caller releases it.
func facet[P, R any, F interface{ Struct() (R, error) }, T interface {
	IsValid() bool
	AddRef() T
}](ctx context.Context, call func(context.Context, func(P) error) (F, capnp.ReleaseFunc),
	get func(R) T) (facet T, err error) {
	answer, release := call(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return facet, err
	}
	if client := get(res); client.IsValid() {
		return client.AddRef(), nil
	}
	return facet, errGone // its daemon does not run
}

func (s *session) status(ctx context.Context) (update.UpdateStatus, error) {
	return facet(ctx, s.operator.Status, operator.Operator_status_Results.Status)
}

func (s *session) updated(ctx context.Context) (update.Updated, error) {
	return facet(ctx, s.operator.Updated, operator.Operator_updated_Results.Updated)
}

func (s *session) stager(ctx context.Context) (update.UpdateStage, error) {
	return facet(ctx, s.operator.Stage, operator.Operator_stage_Results.Stage)
}

func (s *session) recovery(ctx context.Context) (update.UpdateRecovery, error) {
	return facet(ctx, s.operator.Recovery, operator.Operator_recovery_Results.Recovery)
}

func (s *session) journal(ctx context.Context) (journal.Journal, error) {
	return facet(ctx, s.operator.Journal, operator.Operator_journal_Results.Journal)
}

func (s *session) bundles(ctx context.Context) (bundle.BundleMgr, error) {
	return facet(ctx, s.operator.Bundles, operator.Operator_bundles_Results.Bundles)
}

func (s *session) services(ctx context.Context) (exec.ServiceWatch, error) {
	return facet(ctx, s.operator.Services, operator.Operator_services_Results.Services)
}

func (s *session) exec(ctx context.Context) (exec.Exec, error) {
	return facet(ctx, s.operator.Exec, operator.Operator_exec_Results.Exec)
}

func (s *session) authority(ctx context.Context) (operator.Authority, error) {
	return facet(ctx, s.operator.Authority, operator.Operator_authority_Results.Authority)
}

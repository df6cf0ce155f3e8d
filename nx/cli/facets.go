package cli

import (
	"context"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/exec"
	"nexus/capnpgen/journal"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/update"
)

// Each of these asks the operator's facet for another one. The caller releases it.

func (s *session) status(ctx context.Context) (update.UpdateStatus, error) {
	answer, release := s.operator.Status(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return update.UpdateStatus{}, err
	}
	return held(res.Status())
}

func (s *session) updated(ctx context.Context) (update.Updated, error) {
	answer, release := s.operator.Updated(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return update.Updated{}, err
	}
	return held(res.Updated())
}

func (s *session) stager(ctx context.Context) (update.UpdateStage, error) {
	answer, release := s.operator.Stage(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return update.UpdateStage{}, err
	}
	return held(res.Stage())
}

func (s *session) recovery(ctx context.Context) (update.UpdateRecovery, error) {
	answer, release := s.operator.Recovery(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return update.UpdateRecovery{}, err
	}
	return held(res.Recovery())
}

func (s *session) journal(ctx context.Context) (journal.Journal, error) {
	answer, release := s.operator.Journal(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return journal.Journal{}, err
	}
	return held(res.Journal())
}

func (s *session) bundles(ctx context.Context) (bundle.BundleMgr, error) {
	answer, release := s.operator.Bundles(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return bundle.BundleMgr{}, err
	}
	return held(res.Bundles())
}

func (s *session) services(ctx context.Context) (exec.ServiceWatch, error) {
	answer, release := s.operator.Services(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return exec.ServiceWatch{}, err
	}
	return held(res.Services())
}

func (s *session) exec(ctx context.Context) (exec.Exec, error) {
	answer, release := s.operator.Exec(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return exec.Exec{}, err
	}
	return held(res.Exec())
}

func (s *session) authority(ctx context.Context) (operator.Authority, error) {
	answer, release := s.operator.Authority(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return operator.Authority{}, err
	}
	return held(res.Authority())
}

package cli_test

import (
	"context"

	"nexus/capnpgen/operator"
	"nexus/capnpgen/powers"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/policy"
	"nexus/libupdates/trust"
)

// A peerPolicy is the policy of a peer.
type peerPolicy struct{ p *peer }

func (o *peerOperator) Powers(_ context.Context, call operator.Operator_powers) error {
	return vat.Give(call.AllocResults, operator.Operator_powers_Results.SetJudge,
		powers.PowerJudge_ServerToClient(&peerPolicy{o.p}))
}

func (o *peerOperator) Policy(_ context.Context, call operator.Operator_policy) error {
	return vat.Give(call.AllocResults, operator.Operator_policy_Results.SetPolicy,
		powers.PolicyEditor_ServerToClient(&peerPolicy{o.p}))
}

func (s *peerPolicy) Policy(_ context.Context, call powers.PowerJudge_policy) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	rules, err := policy.Parse([]byte(s.p.state.policy))
	if err == nil {
		err = vat.SetTexts(res.NewWarnings, rules.Warnings())
	}
	if err != nil {
		return err
	}
	return res.SetText(s.p.state.policy)
}

func (s *peerPolicy) Judge(_ context.Context, call powers.PowerJudge_judge) error {
	set, err := convert.AskingOf(call.Args().Bundles())
	if err != nil {
		return err
	}
	publisher, err := call.Args().Publisher()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	rules, err := policy.Parse([]byte(s.p.state.policy))
	if err != nil {
		return err
	}
	all := rules.Decide(policy.Machine{}, trust.PublicKey(publisher), set)
	return convert.FillDecisions(res.NewDecisions, all)
}

func (s *peerPolicy) Set(_ context.Context, call powers.PolicyEditor_set) error {
	text, err := call.Args().Text()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	res.SetKept(!s.p.state.machine)
	rules, err := policy.Parse([]byte(text))
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	s.p.state.policy = text
	return vat.SetTexts(res.NewWarnings, rules.Warnings())
}

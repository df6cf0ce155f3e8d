package convert

import (
	"context"
	"errors"

	"nexus/capnpgen/powers"
	"nexus/daemons/vat"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/policy"
	"nexus/libupdates/trust"
)

// Judge asks initd what the bundles of a set get; older: and whether they may go down to that. The refusal is about the
// set as a whole.
func Judge(ctx context.Context, client powers.PowerJudge, publisher trust.PublicKey, set []policy.Asking, older bool) (
	decisions []policy.Decision, refused, err error,
) {
	answer, release := client.Judge(ctx, func(p powers.PowerJudge_judge_Params) error {
		p.SetOlder(older)
		if err := p.SetPublisher(publisher[:]); err != nil {
			return err
		}
		list, err := p.NewBundles(int32(len(set)))
		if err != nil {
			return err
		}
		for i, asking := range set {
			err = errors.Join(err, list.At(i).SetBundle(asking.Bundle),
				vat.SetTexts(list.At(i).NewPowers, asking.Powers))
		}
		return err
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, nil, err
	}
	if decisions, err = readDecisions(res); err != nil {
		return nil, nil, err
	}
	return decisions, Refused(res.Refusal()), nil
}

func readDecisions(res powers.PowerJudge_judge_Results) ([]policy.Decision, error) {
	list, err := res.Decisions()
	if err != nil {
		return nil, err
	}
	var all []policy.Decision
	for i := range list.Len() {
		m := list.At(i)
		bundle, err1 := m.Bundle()
		power, err2 := m.Power()
		why, err3 := m.Detail()
		note, err4 := m.Note()
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			return nil, err
		}
		all = append(all, policy.Decision{Bundle: bundle, Power: power, Line: int(m.Line()), Why: why, Note: note})
	}
	return all, nil
}

// FillDecisions writes what was decided into a message.
func FillDecisions(make func(int32) (powers.Decision_List, error), all []policy.Decision) error {
	list, err := make(int32(len(all)))
	if err != nil {
		return err
	}
	for i, d := range all {
		m := list.At(i)
		m.SetGranted(d.Granted())
		m.SetLine(uint32(d.Line))
		if err := errors.Join(m.SetBundle(d.Bundle), m.SetPower(d.Power), m.SetDetail(d.Why),
			m.SetNote(d.Note)); err != nil {
			return err
		}
	}
	return nil
}

// AskingOf reads what the bundles of a set ask for, within the bounds of a set.
func AskingOf(list powers.Asking_List, err error) ([]policy.Asking, error) {
	if err != nil {
		return nil, err
	}
	if list.Len() > nxs.MaxBundles {
		return nil, errors.New("cannot judge: more bundles than a set has")
	}
	var set []policy.Asking
	for i := range list.Len() {
		name, err := list.At(i).Bundle()
		if err != nil {
			return nil, err
		}
		texts, err := PowersOf(list.At(i).Powers())
		if err != nil {
			return nil, err
		}
		set = append(set, policy.Asking{Bundle: name, Powers: texts})
	}
	return set, nil
}

// textList is a list of texts in a message.
type textList interface {
	Len() int
	At(int) (string, error)
}

// PowersOf reads the powers that one bundle asks for, within the bounds of a manifest. Its parameters are the results
// of the getter.
func PowersOf[L textList](list L, err error) ([]string, error) {
	if err == nil && list.Len() > nxb.MaxListed {
		err = errors.New("cannot judge: more powers than a manifest has")
	}
	if err != nil {
		return nil, err
	}
	var texts []string
	for i := range list.Len() {
		text, err := list.At(i)
		if err == nil && len(text) > nxb.MaxListedText {
			err = errors.New("cannot judge: a power is longer than in a manifest")
		}
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

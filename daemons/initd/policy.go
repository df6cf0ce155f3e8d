package initd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/operator"
	"nexus/capnpgen/powers"
	"nexus/daemons/convert"
	"nexus/daemons/initd/links"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/policy"
	"nexus/libupdates/trust"
)

// policyFile is the device's policy, in the system's folder.
const policyFile = "policy.toml"

// A judge decides by the device's policy which powers bundles get. Nothing else does.
type judge struct {
	folder  *folder
	machine policy.Machine
	log     *logclient.Log

	mu     sync.Mutex // held while the policy changes
	text   []byte
	policy policy.Policy
}

// openJudge reads the policy in the folder. If that is not usable, the system starts without powers, and says why.
func openJudge(f *folder, states *stateKeeper, trees *treeView, log *logclient.Log) *judge {
	j := &judge{folder: f, log: log, machine: policy.Machine{
		FirstPort: plat.FirstPort(), Unbounded: unbounded(), Unguided: plat.Unguided(),
		Stateless: states.stateless(), Unlimited: states.unlimited(), Treeless: trees.missing(),
		NoDevice: plat.NoDevice,
	}}
	text, err := f.readPolicy()
	if err == nil {
		j.policy, err = policy.Parse(text)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		log.Warn("policy cannot be used: no bundle has any power", "file", policyFile, "error", err)
	default:
		j.text = text
	}
	return j
}

// unbounded returns why this machine cannot confine a program to its sockets; empty: it can.
func unbounded() string {
	for _, m := range plat.PayloadConfinement(plat.FirstPayloadUser, false).Measures() {
		if m.Name == plat.MeasureCalls && !m.On {
			return "this machine cannot keep a program to its socket: " + m.Detail
		}
	}
	return ""
}

// readPolicy reads the policy's file, which may be anything.
func (f *folder) readPolicy() ([]byte, error) { return f.read(policyFile, policy.MaxText+1) }

// addPolicy makes the policy in a file the device's.
func (f *folder) addPolicy(source string) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, policy.MaxText+1))
	if err == nil {
		_, err = policy.Parse(text)
	}
	if err != nil {
		return fmt.Errorf("cannot use policy %s: %w", source, err)
	}
	return f.keepPolicy(text)
}

// keepPolicy makes a text the device's policy, durably. An empty text removes it.
func (f *folder) keepPolicy(text []byte) error {
	if len(text) > 0 {
		return f.keepBytes(policyFile, text)
	}
	if err := f.files.RemoveAll(policyFile); err != nil {
		return err
	}
	return f.files.SyncDir(".")
}

// now returns the current policy.
func (j *judge) now() (policy.Policy, []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.policy, j.text
}

// decide decides on the powers that the bundles of a set ask for.
func (j *judge) decide(publisher trust.PublicKey, set []policy.Asking) []policy.Decision {
	rules, _ := j.now()
	return rules.Decide(j.machine, publisher, set)
}

// set replaces the policy. If it fails, nothing is changed.
func (j *judge) set(text []byte) (policy.Policy, error) {
	rules, err := policy.Parse(text)
	if err != nil {
		return rules, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.folder.keepPolicy(text); err != nil {
		return rules, err
	}
	j.policy, j.text = rules, text
	return rules, nil
}

// A judgeServer is the PowerJudge capability.
type judgeServer struct{ judge *judge }

// Policy returns the text of the policy, and what is odd about it.
func (s judgeServer) Policy(_ context.Context, call powers.PowerJudge_policy) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	rules, text := s.judge.now()
	return errors.Join(vat.SetTexts(res.NewWarnings, rules.Warnings()), res.SetText(string(text)))
}

// Judge decides on a set.
func (s judgeServer) Judge(_ context.Context, call powers.PowerJudge_judge) error {
	publisher, err := publisherOf(call.Args().Publisher())
	if err != nil {
		return err
	}
	set, err := convert.AskingOf(call.Args().Bundles())
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	all := s.judge.decide(publisher, set)
	if err := convert.FillDecisions(res.NewDecisions, all); err != nil {
		return err
	}
	err = policy.Refuse(all)
	if err == nil && call.Args().Older() {
		rules, _ := s.judge.now()
		err = rules.Down(publisher, set)
	}
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return nil
}

// publisherOf reads a key from the results of its getter.
func publisherOf(raw []byte, err error) (key trust.PublicKey, _ error) {
	if err == nil && len(raw) != len(key) {
		err = fmt.Errorf("cannot judge: a publisher of %d bytes, not %d", len(raw), len(key))
	}
	if err != nil {
		return key, err
	}
	return trust.PublicKey(raw), nil
}

// Powers hands out the right to see the policy.
func (o *operatorServer) Powers(_ context.Context, call operator.Operator_powers) error {
	return vat.Give(call.AllocResults, operator.Operator_powers_Results.SetJudge,
		powers.PowerJudge_ServerToClient(judgeServer{o.s.judge}))
}

// setReach lets execd connect to what the policy lets programs connect to, from its next start on. It reports whether
// that changes anything.
func (s *system) setReach() bool {
	if s.config.reach == nil || s.judge.machine.Unguided != "" {
		return false
	}
	rules, _ := s.judge.now()
	return s.config.reach.set(rules)
}

// policyChanged has execd start again, and so all services, where programs may connect to other ports than before: a
// process that runs cannot be given more.
func (s *system) policyChanged() {
	if s.setReach() {
		s.log.Info("services start again: the policy has changed the ports that they may connect to")
		s.daemons.Renew(links.Runner)
	}
}

// A policyEditor is the PolicyEditor capability.
type policyEditor struct {
	judge *judge
	kept  bool   // changes outlive the boot
	news  func() // is called when the policy has changed
	by    logclient.Caller
}

// Policy hands out the right to change the policy.
func (o *operatorServer) Policy(_ context.Context, call operator.Operator_policy) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	kept := o.s.config.machine == nil || o.s.config.State != ""
	editor := &policyEditor{o.s.judge, kept, o.s.policyChanged, o.caller()}
	return res.SetPolicy(powers.PolicyEditor_ServerToClient(editor))
}

// Set replaces the policy, and writes the audit record.
func (e *policyEditor) Set(_ context.Context, call powers.PolicyEditor_set) error {
	call.Go()
	text, err := call.Args().Text()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetKept(e.kept)
	rules, err := e.judge.set([]byte(text))
	audit := logclient.Audit{Op: "policy", By: e.by}
	if err == nil {
		audit.Detail = fmt.Sprintf("rules=%d", len(rules.Rules))
	}
	e.judge.log.Audit(audit.Outcome(err))
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	e.news()
	return vat.SetTexts(res.NewWarnings, rules.Warnings())
}

// servePowers returns what initd serves to daemons about powers.
func (s *system) servePowers(facet string) capnp.Client {
	if facet == "PowerJudge" {
		return capnp.Client(powers.PowerJudge_ServerToClient(judgeServer{s.judge}))
	}
	hand := func(ticket string, socket *os.File) error { return s.sendSocket(links.Runner, ticket, socket) }
	return capnp.Client(powers.BundleSockets_ServerToClient(&socketServer{
		judge: s.judge, listeners: s.listeners, lender: &s.lender, hand: hand, states: s.states, trees: s.trees,
	}))
}

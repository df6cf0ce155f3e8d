package cli_test

import (
	"context"
	"errors"
	"fmt"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/bundle"
	"nexus/capnpgen/exec"
	"nexus/capnpgen/journal"
	"nexus/capnpgen/keystore"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// A peerOperator is Operator of the peer. What nx does not use is not there.
type peerOperator struct{ p *peer }

func (o *peerOperator) Status(_ context.Context, call operator.Operator_status) error {
	return vat.Give(call.AllocResults, operator.Operator_status_Results.SetStatus,
		update.UpdateStatus_ServerToClient(&peerUpdated{o.p}))
}

func (o *peerOperator) Updated(_ context.Context, call operator.Operator_updated) error {
	return vat.Give(call.AllocResults, operator.Operator_updated_Results.SetUpdated,
		update.Updated_ServerToClient(&peerUpdated{o.p}))
}

func (o *peerOperator) Recovery(_ context.Context, call operator.Operator_recovery) error {
	return vat.Give(call.AllocResults, operator.Operator_recovery_Results.SetRecovery,
		update.UpdateRecovery_ServerToClient(&peerUpdated{o.p}))
}

func (o *peerOperator) Journal(_ context.Context, call operator.Operator_journal) error {
	return vat.Give(call.AllocResults, operator.Operator_journal_Results.SetJournal,
		journal.Journal_ServerToClient(peerJournal{o.p}))
}

func (o *peerOperator) Bundles(_ context.Context, call operator.Operator_bundles) error {
	return vat.Give(call.AllocResults, operator.Operator_bundles_Results.SetBundles,
		bundle.BundleMgr_ServerToClient(peerBundles{o.p}))
}

// Packages answers with nothing, as a system does whose daemon is not there.
func (*peerOperator) Packages(_ context.Context, call operator.Operator_packages) error {
	_, err := call.AllocResults()
	return err
}

func (o *peerOperator) Services(_ context.Context, call operator.Operator_services) error {
	return vat.Give(call.AllocResults, operator.Operator_services_Results.SetServices,
		exec.ServiceWatch_ServerToClient(peerServices{}))
}

func (o *peerOperator) Exec(_ context.Context, call operator.Operator_exec) error {
	return vat.Give(call.AllocResults, operator.Operator_exec_Results.SetExec, exec.Exec_ServerToClient(peerExec{}))
}

func (o *peerOperator) Anchors(_ context.Context, call operator.Operator_anchors) error {
	return vat.Give(call.AllocResults, operator.Operator_anchors_Results.SetAnchors,
		keystore.TrustAnchors_ServerToClient(&peerTrust{o.p}))
}

func (o *peerOperator) Trust(_ context.Context, call operator.Operator_trust) error {
	return vat.Give(call.AllocResults, operator.Operator_trust_Results.SetTrust,
		operator.TrustEditor_ServerToClient(&peerTrust{o.p}))
}

func (*peerOperator) Daemons(_ context.Context, call operator.Operator_daemons) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	list, err := res.NewDaemons(2)
	if err != nil {
		return err
	}
	logd, execd := list.At(0), list.At(1)
	logd.SetPid(101)
	logd.SetReady(true)
	execd.SetRestarts(1)
	logd.SetPssBytes(5 << 20)
	measures, err := logd.NewMeasures(2)
	if err != nil {
		return err
	}
	paths, user := measures.At(0), measures.At(1)
	paths.SetOn(true)
	err = errors.Join(paths.SetName("paths"), paths.SetDetail("none"), user.SetName("user"),
		user.SetDetail("needs root"))
	return errors.Join(err, logd.SetName("logd"), execd.SetName("execd"), execd.SetLastExit("signal 9 (killed)"))
}

func (*peerOperator) Graph(_ context.Context, call operator.Operator_graph) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	list, err := res.NewEdges(2)
	if err != nil {
		return err
	}
	verifier, dir := list.At(0), list.At(1)
	return errors.Join(
		verifier.SetHolder("updated"), verifier.SetFacet("Verifier"), verifier.SetProvider("keystored"),
		vat.SetTexts(verifier.NewGrants, []string{"system"}),
		dir.SetHolder("updated"), dir.SetFacet("dir:system"),
	)
}

// Stop ends the connection, as a system does that is down.
func (o *peerOperator) Stop(context.Context, operator.Operator_stop) error {
	go (<-o.p.conns).Close()
	return nil
}

// Reboot ends the connection as Stop does, unless somebody has ordered another end before.
func (o *peerOperator) Reboot(context.Context, operator.Operator_reboot) error {
	if o.p.stopping.Load() {
		return convert.Except(refusal.New(refusal.Superseded, "another end was ordered before"))
	}
	go (<-o.p.conns).Close()
	return nil
}

func (o *peerOperator) Watchdog(_ context.Context, call operator.Operator_watchdog) error {
	o.p.mu.Lock()
	defer o.p.mu.Unlock()
	res, err := call.AllocResults()
	if err != nil || !o.p.state.machine {
		return err
	}
	if o.p.older {
		return capnp.Unimplemented("method not implemented")
	}
	w, err := res.NewWatchdog()
	if err != nil {
		return err
	}
	if why := o.p.state.noWatchdog; why != "" {
		return w.SetDetail(why)
	}
	w.SetOn(true)
	w.SetTimeoutMs(30_000)
	w.SetProven(o.p.state.proven)
	return w.SetName("a hound")
}

func (*peerOperator) Authority(_ context.Context, call operator.Operator_authority) error {
	return vat.Give(call.AllocResults, operator.Operator_authority_Results.SetAuthority,
		operator.Authority_ServerToClient(peerAuthority{}))
}

// A peerAuthority takes back LogSink and refuses everything else.
type peerAuthority struct{}

func (peerAuthority) Revoke(_ context.Context, call operator.Authority_revoke) error {
	service, err := call.Args().Service()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil || service == "LogSink" {
		return err
	}
	return convert.Refuse(res.NewRefusal, refusal.New(refusal.UnknownName, "updated is granted no %s", service))
}

// Grant gives back LogSink likewise.
func (peerAuthority) Grant(_ context.Context, call operator.Authority_grant) error {
	service, err := call.Args().Service()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil || service == "LogSink" {
		return err
	}
	return convert.Refuse(res.NewRefusal, refusal.New(refusal.UnknownName, "updated is granted no %s", service))
}

// Operators shows one key.
func (peerAuthority) Operators(_ context.Context, call operator.Authority_operators) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	list, err := res.NewOperators(1)
	if err != nil {
		return err
	}
	return errors.Join(list.At(0).SetKey(make([]byte, 32)), list.At(0).SetRole("status"))
}

type peerBundles struct{ p *peer }

func (o peerBundles) List(_ context.Context, call bundle.BundleMgr_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	p, err := res.NewPublication()
	if err != nil {
		return err
	}
	p.SetSlot(bootrecord.Slot_a)
	p.SetBoot(1)
	list, err := p.NewBundles(1)
	if err != nil {
		return err
	}
	b := list.At(0)
	b.SetPayloadSize(2048)
	return errors.Join(
		p.SetSystemVersion("1.0.0"), p.SetIndexSha256(digest(0xaa)),
		b.SetName("hello"), b.SetVersion("1.0.0"), b.SetPayloadSha256(digest(1)), b.SetManifestSha256(digest(2)),
		vat.SetTexts(b.NewAbilities, []string{"nexus.ability.Service"}),
		p.SetPublisher(digest(3)), vat.SetTexts(b.NewCapabilities, o.p.asked()),
	)
}

func (p *peer) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.asks
}

func (peerBundles) Query(context.Context, bundle.BundleMgr_query) error {
	return errors.New("not asked")
}
func (peerBundles) OpenPayload(context.Context, bundle.BundleMgr_openPayload) error {
	return errors.New("not asked")
}
func (peerBundles) HandPayload(context.Context, bundle.BundleMgr_handPayload) error {
	return errors.New("not asked")
}
func (peerBundles) OpenManifest(context.Context, bundle.BundleMgr_openManifest) error {
	return errors.New("not asked")
}
func (peerBundles) Watch(context.Context, bundle.BundleMgr_watch) error {
	return errors.New("not asked")
}

type peerServices struct{}

func (peerServices) List(_ context.Context, call exec.ServiceWatch_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	list, err := res.NewServices(1)
	if err != nil {
		return err
	}
	s := list.At(0)
	s.SetState(exec.ServiceStatus_State_healthy)
	s.SetNative(true)
	s.SetPid(200)
	s.SetSlot(bootrecord.Slot_a)
	return errors.Join(s.SetName("hello"), s.SetVersion("1.0.0"), s.SetDetail("greeting\x1b[2J"))
}

type peerExec struct{}

// Run runs a bundle that ends as its name says.
func (peerExec) Run(_ context.Context, call exec.Exec_run) error {
	name, err := call.Args().Bundle()
	if err != nil {
		return err
	}
	ends := map[string]peerProcess{"good": {}, "bad": {code: 3}, "killed": {signal: 9}}
	process, known := ends[name]
	if !known {
		return errors.New("unknown-bundle: no published bundle has this name")
	}
	return vat.Give(call.AllocResults, exec.Exec_run_Results.SetProcess, exec.Process_ServerToClient(process))
}

type peerProcess struct{ code, signal int32 }

func (p peerProcess) Wait(_ context.Context, call exec.Process_wait) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetExitCode(p.code)
	res.SetSignal(p.signal)
	return nil
}

func (peerProcess) Kill(context.Context, exec.Process_kill) error { return nil }

type peerJournal struct{ p *peer }

func (j peerJournal) Query(_ context.Context, call journal.Journal_query) error {
	filter, err := call.Args().Filter()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	j.p.set(func(p *peer) { p.since = fmt.Sprint(filter.SinceUnixMs(), filter.WithinMs()) })
	return fillRecords(res.NewRecords, filter)
}

// Follow gives the records there are; no more come.
func (peerJournal) Follow(ctx context.Context, call journal.Journal_follow) error {
	call.Go()
	filter, err := call.Args().Filter()
	if err != nil {
		return err
	}
	follower := call.Args().Follower()
	err = follower.Records(ctx, func(p journal.Follower_records_Params) error {
		return fillRecords(p.NewRecords,
			filter)
	})
	if err != nil {
		return err
	}
	return vat.Give(call.AllocResults, journal.Journal_follow_Results.SetSubscription,
		journal.Subscription_ServerToClient(&peerFollow{follower.AddRef()}))
}

type peerFollow struct{ follower journal.Follower }

func (f *peerFollow) Shutdown() { f.follower.Release() }

func (peerJournal) Head(context.Context, journal.Journal_head) error { return errors.New("not asked") }

// Stats says who has sent something.
func (peerJournal) Stats(_ context.Context, call journal.Journal_stats) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	stats, err := res.NewStats()
	if err != nil {
		return err
	}
	names := []string{"bundle:hello", "bundle:updated", "logd", "updated"}
	list, err := stats.NewSenders(int32(len(names)))
	for i, name := range names {
		err = errors.Join(err, list.At(i).SetSender(name))
	}
	return err
}

// fillRecords gives one record, whose fields say what was asked for.
func fillRecords(make func(int32) (journal.Record_List, error), filter journal.Filter) error {
	list, err := make(1)
	if err != nil {
		return err
	}
	r := list.At(0)
	r.SetSequence(7)
	r.SetUnixMs(1_700_000_000_123)
	entry, err := r.NewEntry()
	if err != nil {
		return err
	}
	sender, err := filter.Sender()
	if err != nil {
		return err
	}
	entry.SetLevel(filter.MinLevel())
	fields, err := entry.NewFields(2)
	if err != nil {
		return err
	}
	return errors.Join(
		r.SetSender(sender), entry.SetMessage_("staged\x1b]0;evil\x07"),
		fields.At(0).SetKey("slot"), fields.At(0).SetValue("b"),
		fields.At(1).SetKey("detail"), fields.At(1).SetValue("two words"),
	)
}

func (*peerOperator) FetchApps(context.Context, operator.Operator_fetchApps) error {
	return capnp.Unimplemented("fetchApps")
}

func (*peerOperator) Fetch(context.Context, operator.Operator_fetch) error {
	return errors.New("not asked")
}

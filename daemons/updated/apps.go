package updated

import (
	"context"
	"errors"
	"sync"
	"time"

	"nexus/daemons/logclient"
	"nexus/daemons/vat"
	"nexus/libupdates/apps"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/policy"
	"nexus/libupdates/updater"
)

// packages are the packages of apps, each served like the system.
type packages struct {
	*apps.Apps
	system  *service
	changed *vat.Notifier // what packages there are

	mu        sync.Mutex
	notifiers map[string]*vat.Notifier // of the status of each
}

// openApps opens the packages. base is what the system's engine works with.
func openApps(b *vat.Endowments, files durable.FS, memory durable.CellFile, base updater.Config, system *service,
	log *logclient.Log) (*packages, error) {
	begun, err := durable.OpenCell(memory)
	if err != nil {
		return nil, err
	}
	_, found := begun.Load()
	p := &packages{system: system, changed: vat.NewNotifier(), notifiers: map[string]*vat.Notifier{}}
	base.Verify = verifyBy(b.Use("AppVerifier"))
	base.Admission = appAdmission{admission{b.Use("AppAdmission")}}
	base.Core = nxs.Digest{} // no app brings one
	down := judgeBy(b.Use("PowerJudge"), true)
	p.Apps, err = apps.Open(apps.Config{
		FS: files, NewBoot: !found,
		Engine: func(name string) updater.Config {
			cfg := base
			cfg.Publisher, cfg.Log = slotPublisher{system.publisher, name}, appJournal{journal{log}, name}
			cfg.Changed = func() { p.notifier(name).Notify(); p.changed.Notify() }
			return cfg
		},
		System:    func() updater.Status { return system.engine.Status() },
		Retain:    system.publisher.retainApps,
		Downgrade: func(ctx context.Context, x nxs.Index) error { return down(ctx, x.Publisher, named(x)) },
		Log:       journal{log}, Changed: p.changed.Notify,
	})
	return p, err
}

// named are all bundles of a set, whatever they ask for.
func named(x nxs.Index) (set []policy.Asking) {
	for _, e := range x.Bundles {
		set = append(set, policy.Asking{Bundle: e.Name})
	}
	return set
}

// appAdmission admits sets of apps. Roots that come with them are left alone: only the system's sets bring some, and
// only their stage knows what the system needs to run.
type appAdmission struct{ admission }

// TakeRoots takes nothing.
func (appAdmission) TakeRoots(context.Context, []byte, []updater.Installed) error { return nil }

// An appJournal is the log of one package.
type appJournal struct {
	journal
	app string
}

// Audit records a step.
func (j appJournal) Audit(a updater.Audit) {
	a.App = j.app
	j.journal.Audit(a)
}

// notifier is told of changes of the status of a package.
func (p *packages) notifier(name string) *vat.Notifier {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.notifiers[name] == nil {
		p.notifiers[name] = vat.NewNotifier()
	}
	return p.notifiers[name]
}

// resume has published again what an instance before this one published in this boot.
func (p *packages) resume() {
	for _, name := range p.Started() {
		if engine, err := p.Engine(name); err == nil {
			engine.Trial.Resume()
		}
	}
	p.system.publisher.allKnown()
}

// gonePatience is how long an uninstall waits until nothing runs any more.
const gonePatience = 20 * time.Second

// awaitGone waits until nothing of what was uninstalled runs, and its state is removed. It is uninstalled either way.
func (p *packages) awaitGone(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, gonePatience)
	defer cancel()
	for {
		next := p.changed.Next()
		if len(p.Gone()) == 0 {
			return
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// endBoot notes in all records that the end of the boot was ordered.
func (p *packages) endBoot() error {
	var errs []error
	for _, name := range p.Names() {
		if engine, err := p.Engine(name); err == nil {
			errs = append(errs, engine.Trial.EndBoot())
		}
	}
	return errors.Join(errs...)
}

// service is what serves a package like the system.
func (p *packages) service(name string, engine *updater.Engine) *service {
	return &service{engine: engine, publisher: p.system.publisher, apps: p, changed: p.notifier(name),
		life: p.system.life}
}

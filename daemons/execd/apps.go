package execd

import (
	"context"
	"maps"
	"slices"
	"sync"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// appRuns are the packages of apps that run. Each has a supervisor of its own, so that an app that comes or goes
// concerns nobody else.
type appRuns struct {
	system *supervisor
	from   plat.UserRange

	mu       sync.Mutex
	users    map[string]uint32      // by bundle, of the system as well
	demanded map[string]int         // programs that were started on demand and have not ended, by bundle
	known    map[string]*supervisor // by package, also of those that are not published yet
	running  map[string]*appRun     // by package
	leaving  map[string]*appRun     // by package: no longer published, and not over yet
}

// An appRun is one package while it is published.
type appRun struct {
	news     chan publication // holds the newest
	ctx      context.Context  // ends when it is not published any more
	stop     context.CancelFunc
	demanded sync.WaitGroup // programs of it that were started on demand
	over     chan struct{}  // closed once nothing of it runs any more
}

func newAppRuns(system *supervisor, from plat.UserRange) *appRuns {
	return &appRuns{
		system: system, from: from, demanded: map[string]int{},
		known: map[string]*supervisor{}, running: map[string]*appRun{}, leaving: map[string]*appRun{},
	}
}

// of returns the supervisor of a package, which may have nothing to run yet.
func (a *appRuns) of(name string) *supervisor {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at(name)
}

// at is of for a caller that holds the lock.
func (a *appRuns) at(name string) *supervisor {
	if a.known[name] == nil {
		a.known[name] = &supervisor{means: a.system.means, changed: vat.NewNotifier()}
	}
	return a.known[name]
}

// all returns the supervisors of all packages, in byte order of their names.
func (a *appRuns) all() (all []*supervisor) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(a.known)) {
		all = append(all, a.known[name])
	}
	return all
}

// follow hands each publication to the supervisors that it concerns, until ctx ends and no app runs any more.
func (a *appRuns) follow(ctx context.Context, news <-chan publication, system chan<- publication) {
	defer a.awaitEnd()
	for {
		select {
		case p := <-news:
			a.assign(p, p.complete)
			if p.complete { // else it may lack an app that is not published again yet
				a.system.sockets.keep(ctx, p) // before anybody hears of the publication
				a.system.trees.tidy(ctx, p)
			}
			a.take(ctx, p)
			select {
			case system <- p:
			case <-ctx.Done():
			}
		case <-ctx.Done():
			return
		}
	}
}

// assign gives each published bundle a user of its own. What has one keeps it: a service that goes on, and one that has
// not ended yet. If the publication does not say all, those that it does not name keep theirs.
func (a *appRuns) assign(p publication, all bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for _, b := range p.all() {
		names = append(names, b.name)
	}
	for name := range a.users {
		if (!all || a.runs(name)) && !slices.Contains(names, name) && len(names) < int(a.from.Count) {
			names = append(names, name)
		}
	}
	a.users = a.from.Users(names, a.users)
	for _, one := range append([]publication{p}, p.apps...) {
		for i, b := range one.bundles {
			one.bundles[i].user = a.users[b.name]
		}
	}
}

// runs reports whether a program of a bundle has not ended. The lock is held.
func (a *appRuns) runs(name string) bool {
	if a.demanded[name] > 0 {
		return true
	}
	for _, s := range append(slices.Collect(maps.Values(a.known)), a.system) {
		s.mu.Lock()
		all := slices.Concat(s.services, s.ending)
		s.mu.Unlock()
		if slices.ContainsFunc(all, func(one *service) bool { return one.spec.name == name }) {
			return true
		}
	}
	return false
}

// take has the packages run as they are published.
func (a *appRuns) take(ctx context.Context, p publication) {
	a.mu.Lock()
	defer a.mu.Unlock()
	published := map[string]bool{}
	for _, app := range p.apps {
		published[app.app] = true
		run := a.running[app.app]
		if run == nil {
			run = a.begin(ctx, app.app)
		}
		select {
		case <-run.news:
		default:
		}
		run.news <- app // only here, and it has room now
	}
	for name, run := range a.running {
		if p.complete && !published[name] {
			run.stop()
			delete(a.running, name)
			a.leaving[name] = run
			go a.forget(name, run)
		}
	}
}

// demand has a program that is started on demand end with the package that it is of: the context ends when the package
// is not published any more, and nobody counts as gone before the program has called done. A bundle of the system is
// not of any package. Refused as UnknownBundle once the package is not published, or the user is another bundle's.
func (a *appRuns) demand(spec spec) (ends context.Context, done func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ends, over := context.Background(), func() {}
	run := a.running[spec.app]
	switch {
	case spec.app != "" && (run == nil || run.ctx.Err() != nil), a.users[spec.name] != spec.user:
		return nil, nil, refusal.New(refusal.UnknownBundle, "no published bundle has this name")
	case spec.app != "":
		run.demanded.Add(1)
		ends, over = run.ctx, run.demanded.Done
	}
	a.demanded[spec.name]++
	return ends, func() { a.ended(spec.name); over() }, nil
}

// ended records the end of a program that was started on demand.
func (a *appRuns) ended(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.demanded[name]--; a.demanded[name] == 0 {
		delete(a.demanded, name)
	}
}

// begin starts to follow the publications of a package. The lock is held.
func (a *appRuns) begin(ctx context.Context, name string) *appRun {
	ctx, stop := context.WithCancel(ctx)
	run := &appRun{news: make(chan publication, 1), ctx: ctx, stop: stop, over: make(chan struct{})}
	s, before := a.at(name), a.leaving[name]
	a.running[name] = run
	go func() {
		defer close(run.over)
		if before != nil {
			<-before.over
		}
		s.follow(ctx, run.news)
		run.demanded.Wait()
		s.forwarder.publish(s, nil, nil)
		s.change(func() { s.current, s.services = publication{}, nil }) // for those who still ask about it
	}()
	return run
}

// forget forgets a package that is not published any more, once nothing of it runs.
func (a *appRuns) forget(name string, run *appRun) {
	<-run.over
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leaving[name] == run {
		delete(a.leaving, name)
	}
	a.drop(name)
}

// unwatch is called when somebody no longer follows the health of a package, which may be gone.
func (a *appRuns) unwatch(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(name)
}

// drop removes the supervisor of a package that is gone. The lock is held.
func (a *appRuns) drop(name string) {
	if a.running[name] == nil && a.leaving[name] == nil {
		delete(a.known, name)
	}
}

// awaitEnd waits until no app runs.
func (a *appRuns) awaitEnd() {
	a.mu.Lock()
	runs := slices.AppendSeq(slices.Collect(maps.Values(a.running)), maps.Values(a.leaving))
	a.mu.Unlock()
	for _, run := range runs {
		<-run.over
	}
}

package initd

import (
	"context"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"nexus/daemons/initd/links"
	"nexus/daemons/initd/supervise"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/health"
	"nexus/packaging/release"
)

// A system is one run of initd: its configuration and its parts. It has no lock; each part that changes has its own.
type system struct {
	config    Config
	host      plat.Host
	log       *logclient.Log
	table     []Daemon
	resources resources
	keys      *keyring
	judge     *judge
	listeners *listeners
	lender    lender
	trees     *treeView
	states    *stateKeeper            // nil: bundles keep none
	holdings  map[string]*vat.Holding // initd's own facets
	changed   *vat.Notifier           // notified when a daemon's readiness or a vote changes
	ballot    *ballot
	daemons   *supervise.Supervisor
	links     *links.Links
	ways      *ways
	ending    *ending
	taken     *revocations
	runs      atomic.Pointer[logclient.Crash] // what crash reports say of the attempt under way; nil: there is none
	apps      *appKeepers
}

func newSystem(config Config, host plat.Host, launcher supervise.Launcher, stderr io.Writer) *system {
	s := &system{
		config:    config,
		host:      host,
		resources: newResources(config),
		holdings:  map[string]*vat.Holding{},
		changed:   vat.NewNotifier(),
		ending:    newEnding(),
		taken:     newRevocations(config.Handed),
	}
	s.ways = newWays(s.taken)
	s.apps = newAppKeepers(s)
	s.ballot = &ballot{changed: s.changed}
	if config.SelftestSets != "" {
		s.ballot.voter = selftestName
	}
	s.setTable()
	s.log = logclient.New(initName, s.holdings["LogSink"])
	s.links = links.New(links.Config{
		Table: rowsOf(s.table), Own: s.holdings, Serve: s.serveOwn, Clock: host.Clock, Backoff: backoff(), Log: s.log,
		Ledger: s.taken,
	})
	s.taken.each(s.links.Withhold)
	s.daemons = supervise.New(supervise.Config{
		Owner: owner{s}, Launcher: launcher, Host: host, Log: s.log, Stderr: stderr, Changed: s.changed,
		Hang: config.Policy.Hang, Backoff: backoff(), Patient: !config.Handed.Core.IsZero(),
		Stopping: s.saveJournal, About: s.about,
	})
	return s
}

// about returns what crash reports say of what runs.
func (s *system) about() logclient.Crash {
	c := logclient.Crash{Version: release.Version()}
	if runs := s.runs.Load(); runs != nil {
		c.Slot, c.Set = runs.Slot, runs.Set
	}
	return c
}

// setTable sets this system's rows.
func (s *system) setTable() {
	for _, row := range tableFor(s.config.State != "", s.config.Remote.on()) {
		switch {
		case row.Name == selftestName && s.config.SelftestSets == "":
			continue
		case row.Name == initName:
			for _, edge := range row.Holds {
				s.holdings[edge.Facet] = vat.NewHolding(edge.Facet)
			}
		}
		s.table = append(s.table, row)
	}
}

// rowsOf returns the links in a table.
func rowsOf(table []Daemon) []links.Row {
	rows := make([]links.Row, len(table))
	for i, row := range table {
		rows[i] = links.Row{Name: row.Name, Holds: row.Holds}
	}
	return rows
}

// graph returns who holds what now: the table and the roles that have a socket, less what was revoked.
func (s *system) graph() []graphEdge {
	table := slices.Clone(s.table)
	for i, row := range s.links.Granted() {
		table[i].Holds = row.Holds
	}
	return graph(table, s.ways.open(s.config.clients()))
}

// run brings the system up, keeps it running until it is told to stop or ctx ends, and takes it down in reverse order.
func (s *system) run(ctx context.Context, sockets []*controlSocket) error {
	core, stopCore := context.WithCancel(context.Background())
	defer stopCore()
	for _, row := range s.table {
		if row.Process() && row.Name != initName {
			s.daemons.Start(core, supervise.Spec{Name: row.Name, Once: row.Name == selftestName})
		}
	}
	health := make(chan struct{})
	gather, stopGather := context.WithCancel(core)
	go func() { defer close(health); s.watchHealth(gather) }()
	go s.config.machine.PetWhile(core, s.turns, s.log)
	s.ways.serve(s, sockets)
	s.announceRemote()
	go s.ways.watchOperators(core, s.host.Clock)
	if s.config.Port != "" {
		go s.servePort(core, s.config.Port)
	}

	select {
	case <-ctx.Done():
	case <-s.ending.stopping:
	}
	s.ways.close(s.ending.handing())
	stopGather()
	<-health
	if s.ending.ordered(ctx) {
		s.orderEnd()
	}
	s.links.Stop()
	s.daemons.Stop(s.log.Close) // logd, which started first, still records what the others say
	return s.ending.result(ctx)
}

// saveJournal gets the journal onto disk before the daemon that writes it is stopped.
func (s *system) saveJournal(stopping string) {
	if stopping != stateName {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), savePatience)
	defer cancel()
	s.log.Sync(ctx) // best effort: a broken disk must not delay the end
}

// savePatience bounds that wait.
const savePatience = 3 * time.Second

// turns reports whether the system makes progress: no lock is stuck, and the loop of every daemon comes round in time.
func (s *system) turns(ctx context.Context, late <-chan time.Time) bool {
	s.links.AwaitLock()
	s.ways.awaitLock()
	s.ending.awaitLock()
	return s.daemons.Turns(ctx, late)
}

// core returns the state of the core daemons. The selftest is not one of them: it votes.
func (s *system) core() []health.Daemon {
	var core []health.Daemon
	for _, d := range s.daemons.Statuses() {
		if d.Name != selftestName {
			core = append(core, health.Daemon{Name: d.Name, Ready: d.Ready, Detail: d.LastExit})
		}
	}
	return core
}

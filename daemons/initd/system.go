package initd

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"

	"nexus/daemons/initd/links"
	"nexus/daemons/initd/machine"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/health"
)

// A system is everything initd knows while it runs.
type system struct {
	config   Config
	host     plat.Host
	launcher Launcher
	stderr   io.Writer
	log      *logclient.Log
	table    []Daemon
	holdings map[string]*vat.Holding // initd's own facets
	settings map[string]string
	files    map[string]*os.File
	dirs     map[string]*os.File
	changed  *vat.Notifier // daemons' readiness, votes
	ballot   *ballot
	links    *links.Links
	ways     *ways

	mu       sync.Mutex
	children map[string]*child
	order    []*child // in start order
	outcome  outcome
	next     *machine.Handed // what is left to the core that is to take over; nil: none is
	ending   bool            // the system was told to stop, or cannot go on; outcome says which
	gone     bool            // the next core takes over: no order is taken any more
	stopping chan struct{}   // closed when the system is to be taken down
}

// An outcome is how the system ended.
type outcome struct {
	ordered bool // somebody outside wanted it
	again   bool // it is to begin anew
	failed  bool
	why     string // one line, when it failed
}

func newSystem(config Config, host plat.Host, launcher Launcher, stderr io.Writer) *system {
	s := &system{
		config:   config,
		host:     host,
		launcher: launcher,
		stderr:   stderr,
		holdings: map[string]*vat.Holding{},
		files:    map[string]*os.File{},
		dirs:     map[string]*os.File{},
		settings: map[string]string{
			"limit-archive": strconv.FormatInt(config.Limits.Archive, 10),
			"limit-payload": strconv.FormatInt(config.Limits.Payload, 10),
			"tries":         strconv.Itoa(int(config.Policy.Tries)),
			"settle":        config.Policy.SettleTime.String(),
			"floor":         cmp.Or(config.Floor, floorSigned),
			"record":        recordPlace(config.State != ""),
			"boot-cause":    config.Cause.String(),
			"core":          coreSetting(config.Handed.Core),
			groupsDir:       strconv.FormatBool(config.groups != ""),
		},
		changed:  vat.NewNotifier(),
		children: map[string]*child{},
		stopping: make(chan struct{}),
		ways:     newWays(),
	}
	s.ballot = &ballot{changed: s.changed}
	if config.SelftestSets != "" {
		s.ballot.voter = selftestName
	}
	for _, row := range tableFor(config.State != "") {
		switch {
		case row.Name == selftestName && config.SelftestSets == "":
			continue
		case row.Name == initName:
			for _, edge := range row.Holds {
				s.holdings[edge.Facet] = vat.NewHolding(edge.Facet)
			}
		}
		s.table = append(s.table, row)
	}
	s.log = logclient.New(initName, s.holdings["LogSink"])
	s.links = links.New(links.Config{
		Table: rowsOf(s.table), Own: s.holdings, Serve: s.serveOwn, Clock: host.Clock, Backoff: backoff(), Log: s.log,
	})
	return s
}

// backoff is how fast what ended comes back: daemons, and links.
func backoff() plat.Backoff { return plat.Backoff{First: firstPause, Max: maxPause, Good: goodLife} }

// rowsOf is the part of the table that is links.
func rowsOf(table []Daemon) []links.Row {
	rows := make([]links.Row, len(table))
	for i, row := range table {
		rows[i] = links.Row{Name: row.Name, Holds: row.Holds}
	}
	return rows
}

// granted is the table less what was revoked.
func (s *system) granted() []Daemon {
	table := slices.Clone(s.table)
	for i, row := range s.links.Granted() {
		table[i].Holds = row.Holds
	}
	return table
}

// openResources opens what rows of the table name: directories and files that are granted as descriptors. The
// directories are made what the daemons need that work there.
func (s *system) openResources(console *os.File, f *folder, state *stateFolder) (err error) {
	if s.dirs[systemDir], err = f.below(systemDir); err != nil {
		return err
	}
	if s.dirs[trustDir], err = f.below(trustDir); err != nil {
		return err
	}
	if state != nil { // opened anew: the lock is not for statefsd
		if s.dirs[stateDir], err = plat.OpenFolderAt(state.lock, "."); err != nil {
			return err
		}
	}
	found, err := ownAll(s.dirs)
	if f.found = append(f.found, found...); err != nil {
		return err
	}
	if s.config.groups != "" {
		if s.dirs[groupsDir], err = plat.OpenFolder(s.config.groups); err != nil {
			return err
		}
	}
	if s.config.SelftestSets != "" {
		if s.dirs["sets"], err = plat.OpenFolder(s.config.SelftestSets); err != nil {
			return err
		}
	}
	if s.config.Factory != "" {
		if s.files["factory"], err = os.Open(s.config.Factory); err != nil {
			return err
		}
	}
	s.files["console"] = console
	if s.files["record"] = s.config.Handed.Take(machine.HandedRecord); s.files["record"] == nil {
		s.files["record"], err = plat.Memory("boot-record")
	}
	return err
}

func (s *system) closeResources() {
	for name, f := range s.files {
		if name != "console" {
			f.Close()
		}
	}
	for _, d := range s.dirs {
		d.Close()
	}
}

// run brings the whole system up, keeps it up until it is told to stop or ctx ends, and takes it down in reverse order.
func (s *system) run(ctx context.Context, sockets []*controlSocket) error {
	core, stopCore := context.WithCancel(context.Background())
	defer stopCore()

	var stops []context.CancelFunc
	for _, row := range s.table {
		if row.Name == initName || !row.Process() {
			continue
		}
		life, stop := context.WithCancel(core)
		stops = append(stops, stop)
		s.start(life, row)
	}
	health := make(chan struct{})
	gather, stopGather := context.WithCancel(core)
	go func() { defer close(health); s.watchHealth(gather) }()
	go s.config.machine.PetWhile(core, s.turns, s.log)
	s.ways.serve(s, sockets)
	if s.config.Port != "" {
		go s.servePort(core, s.config.Port)
	}

	select {
	case <-ctx.Done():
	case <-s.stopping:
	}
	s.mu.Lock()
	handing := s.next != nil
	s.mu.Unlock()
	s.ways.close(handing)
	stopGather()
	<-health
	if s.ordered(ctx) {
		s.orderEnd()
	}
	s.links.Stop()
	s.takeDown(stops)
	return s.result(ctx)
}

func (s *system) start(ctx context.Context, row Daemon) {
	c := &child{row: row, turn: make(chan struct{}), gone: make(chan struct{})}
	s.mu.Lock()
	s.children[row.Name] = c
	s.order = append(s.order, c)
	s.mu.Unlock()
	go s.keepAlive(ctx, c)
}

// takeDown stops the daemons one by one, the last started first, so that each still has what it was built on. logd, the
// first started, is still there to hear the others out.
func (s *system) takeDown(stops []context.CancelFunc) {
	for i := len(stops) - 1; i >= 0; i-- {
		if i == 0 {
			s.log.Close()
		}
		stops[i]()
		<-s.order[i].gone
	}
	s.host.Spawner.Sweep()
}

// stop gives the order to stop. The first outcome counts, and is returned. It is refused once another core is about to
// take over.
func (s *system) stop(o outcome) (outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.gone:
		return outcome{}, errGoingOn
	case s.ending:
		return s.outcome, nil
	}
	s.ending, s.outcome = true, o
	if s.next == nil {
		close(s.stopping)
	}
	return s.outcome, nil
}

// result is how the system ended. Whoever ended ctx wanted it down for good, whatever was ordered before.
func (s *system) result(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.outcome.failed:
		return errors.New(s.outcome.why)
	case s.outcome.again && ctx.Err() == nil:
		return ErrReboot
	default:
		return nil
	}
}

// core is how the daemons are. The selftest is not core: it votes.
func (s *system) core() []health.Daemon {
	s.mu.Lock()
	defer s.mu.Unlock()
	var core []health.Daemon
	for _, c := range s.order {
		if c.row.Name != selftestName {
			core = append(core, health.Daemon{Name: c.row.Name, Ready: c.ready, Detail: c.lastExit})
		}
	}
	return core
}

package initd

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"

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

	mu          sync.Mutex
	children    map[string]*child
	order       []*child // in start order
	links       map[linkKey]*link
	lastLink    uint64              // the number of the newest link
	introduced  map[string][]Edge   // the links that each holder's present life was given by name
	revoked     map[linkKey]bool    // what a holder has no more, by facet
	sessions    map[string]*session // of those outside, by their names as holders
	lastSession uint64              // the number of the newest
	ways        []*controlSocket    // by which those outside come in
	outcome     outcome
	next        *machine.Handed // what is left to the core that is to take over; nil: none is
	ending      bool            // the system was told to stop, or cannot go on; outcome says which
	gone        bool            // the next core takes over: no order is taken any more
	stopping    chan struct{}   // closed when the system is to be taken down
	// closed when the daemons are about to be stopped: from then on a link that ends stays ended
	down chan struct{}
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
		changed:    vat.NewNotifier(),
		children:   map[string]*child{},
		links:      map[linkKey]*link{},
		introduced: map[string][]Edge{},
		revoked:    map[linkKey]bool{},
		sessions:   map[string]*session{},
		stopping:   make(chan struct{}),
		down:       make(chan struct{}),
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
	return s
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
		if ownEnd(row.Name) {
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
	s.mu.Lock()
	s.ways = sockets
	s.mu.Unlock()
	for _, socket := range sockets {
		go socket.serve(s)
	}
	if s.config.Port != "" {
		go s.servePort(core, s.config.Port)
	}

	select {
	case <-ctx.Done():
	case <-s.stopping:
	}
	s.closeWays(sockets)
	stopGather()
	<-health
	if s.ordered(ctx) {
		s.orderEnd()
	}
	close(s.down)
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

// closeWays has nobody come in any more. For a core that is to take over the sockets stay; one that cannot be left is
// opened again by that.
func (s *system) closeWays(sockets []*controlSocket) {
	s.mu.Lock()
	handing := s.next != nil
	s.mu.Unlock()
	for _, c := range sockets {
		if !handing || c.leave() != nil {
			c.remove()
		}
	}
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

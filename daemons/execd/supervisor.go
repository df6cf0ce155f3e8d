package execd

import (
	"context"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/bundle"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// means are what the supervisors of the system and of all apps share.
type means struct {
	clock      plat.Clock
	log        *logclient.Log
	settle     time.Duration   // how long a plain program runs until it counts as healthy
	lasting    context.Context // ends with the daemon
	bundles    *vat.Holding
	registrars *vat.Holding
	introducer *introducer
	forwarder  *forwarder
	sockets    *sockets
	trees      *trees
	launcher   *launcher
}

// A supervisor runs the services of the current publication.
type supervisor struct {
	*means
	apps    *appRuns       // those of packages of apps; nil for one of them
	changed *vat.Notifier  // something about the publication or a service
	running sync.WaitGroup // the services, of earlier publications as well

	mu       sync.Mutex
	current  publication
	services []*service
	ending   []*service // of earlier publications, until they have ended
	revision uint64     // counts the changes
	settled  uint64     // the newest attempt to which the end of a service makes no difference any more
	stuck    []stuck
}

// run follows publications, of the system and of apps, until ctx ends. It returns once everything has ended.
func (s *supervisor) run(ctx context.Context) {
	news, own := make(chan publication, 1), make(chan publication)
	go s.bundles.Each(ctx, func(ctx context.Context, client capnp.Client) {
		s.subscribe(ctx, bundle.BundleMgr(client), news)
	})
	var apps sync.WaitGroup
	apps.Go(func() { s.apps.follow(ctx, news, own) })
	s.follow(ctx, own)
	apps.Wait()
}

// follow runs what is published until ctx ends. It returns once everything has ended.
func (s *supervisor) follow(ctx context.Context, news <-chan publication) {
	defer s.running.Wait()
	for {
		select {
		case p := <-news:
			if s.isCurrent(p) || p.slot == bootrecord.Slot_none {
				continue
			}
			s.switchTo(ctx, p)
		case <-ctx.Done():
			return
		}
	}
}

// subscribe watches one instance of bundlemgrd. A watch that was dropped, as that of a stopped process may be, is made
// again.
func (s *supervisor) subscribe(ctx context.Context, mgr bundle.BundleMgr, news chan publication) {
	for ctx.Err() == nil {
		observer := &publicationObserver{news: news, gone: make(chan struct{})}
		answer, release := mgr.Watch(ctx, func(p bundle.BundleMgr_watch_Params) error {
			return p.SetObserver(bundle.PublicationObserver_ServerToClient(observer))
		})
		if _, err := answer.Struct(); err != nil {
			if ctx.Err() == nil {
				s.log.Warn("cannot watch publications", "error", err)
			}
			release()
			return
		}
		select { // the subscription lasts as long as its answer is held
		case <-observer.gone:
		case <-ctx.Done():
		}
		release()
	}
}

func (s *supervisor) isCurrent(p publication) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.same(p)
}

// change changes the publication or its services, and notifies whoever waits.
func (s *supervisor) change(f func()) {
	s.mu.Lock()
	f()
	s.revision++
	s.mu.Unlock()
	s.changed.Notify()
}

// mayRestart reports whether a service that ended is started again: only after the attempt of its publication is
// settled, because until then its end decides the attempt.
func (s *supervisor) mayRestart() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settled >= s.current.boot
}

// await waits for a change after next was taken.
func await(ctx context.Context, next <-chan struct{}) error {
	select {
	case <-next:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

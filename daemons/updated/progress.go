package updated

import (
	"context"
	"sync"
	"time"

	"nexus/capnpgen/update"
	"nexus/libupdates/slots"
)

// progressSteps is into how many steps a stage's progress is divided: a sender hears of it at most so often, and once a
// phase.
const progressSteps = 64

// progressPatience bounds one call to an observer; one that does not answer hears nothing more.
const progressPatience = 5 * time.Second

// A progress tells a sender how far its stage is: it is the engine's Progress. It never holds the stage up: what comes
// while the observer is busy is replaced by what comes after.
type progress struct {
	observer update.StageProgress
	size     int64
	over     func() // is called with Close; nil: nobody wants to know

	mu     sync.Mutex
	latest slots.Progress
	news   chan struct{}
	closed bool
}

// newProgress takes the observer over; an invalid one hears nothing.
func newProgress(observer update.StageProgress, size int64) *progress {
	p := &progress{observer: observer, size: size, news: make(chan struct{}, 1)}
	if observer.IsValid() {
		go p.tell()
	}
	return p
}

// Report takes the newest state.
func (p *progress) Report(now slots.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	step := max(p.size/progressSteps, 1)
	if p.closed || (now.Phase == p.latest.Phase && now.DoneBytes/step == p.latest.DoneBytes/step) {
		return
	}
	p.latest = now
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// Close ends the telling; what was reported is still told.
func (p *progress) Close() {
	p.mu.Lock()
	first := !p.closed
	if first {
		p.closed = true
		close(p.news)
	}
	p.mu.Unlock()
	if first && p.over != nil {
		p.over()
	}
}

func (p *progress) tell() {
	defer p.observer.Release()
	for range p.news {
		p.mu.Lock()
		now := p.latest
		p.mu.Unlock()
		if err := p.call(now); err != nil {
			return
		}
	}
}

func (p *progress) call(now slots.Progress) error {
	ctx, cancel := context.WithTimeout(context.Background(), progressPatience)
	defer cancel()
	answer, release := p.observer.OnProgress(ctx, func(args update.StageProgress_onProgress_Params) error {
		m, err := args.NewProgress()
		if err != nil {
			return err
		}
		m.SetPhase(wirePhase(now.Phase))
		m.SetDoneBytes(uint64(now.DoneBytes))
		m.SetTotalBytes(uint64(p.size))
		m.SetReusedBytes(uint64(now.Reused))
		return m.SetBundle(now.Bundle)
	})
	defer release()
	_, err := answer.Struct()
	return err
}

func wirePhase(p slots.Phase) update.Progress_Phase {
	switch p {
	case slots.Publishing:
		return update.Progress_Phase_publishing
	case slots.Reused:
		return update.Progress_Phase_reused
	default:
		return update.Progress_Phase_receiving
	}
}

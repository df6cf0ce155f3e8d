package oci

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"nexus/libupdates/refusal"
)

// A Pace says how long a Client waits for a registry.
type Pace struct {
	Patience time.Duration // in each stretch of waiting as long as this, leastProgress bytes have to move
	Retries  int           // how often a request is repeated, or a broken transfer taken up
	Pause    time.Duration // before the first of these; it doubles
	MaxPause time.Duration // the longest pause, also if the registry asks for more
}

// DefaultPace returns the pace of commands.
func DefaultPace() Pace {
	return Pace{Patience: time.Minute, Retries: 5, Pause: time.Second / 4, MaxPause: 30 * time.Second}
}

// leastProgress is how many bytes have to move within the patience, or all that are left.
const leastProgress = 256 << 10

// pause returns how long to wait before an attempt is repeated for the nth time, from 0.
func (p Pace) pause(n int) time.Duration { return min(p.Pause<<min(n, 16), p.MaxPause) }

// sleep waits before an attempt is repeated for the nth time.
func (p Pace) sleep(ctx context.Context, n int) error {
	timer := time.NewTimer(p.pause(n))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A watched transport ends requests and responses whose bytes hardly move.
type watched struct {
	below    http.RoundTripper
	patience time.Duration
}

// RoundTrip implements http.RoundTripper.
func (w watched) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	stall := func() {
		cancel(refusal.New(refusal.Stalled, "%s hardly moves any bytes", req.URL.Host))
	}
	sent := req.WithContext(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		sent.Body = newBody(req.Body, w.patience, stall, true)
	}
	resp, err := w.below.RoundTrip(sent)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		cancel(nil)
		return nil, err
	}
	resp.Body = &answerBody{newBody(resp.Body, w.patience, stall, false), ctx, cancel}
	return resp, nil
}

// A body measures how long its other side makes us wait: while it is read, or between reads if it is sent.
type body struct {
	io.ReadCloser
	sending  bool
	patience time.Duration

	mu     sync.Mutex
	timer  *time.Timer // runs while the other side is waited for
	began  time.Time
	waited time.Duration // since enough bytes moved
	moved  int64
}

func newBody(content io.ReadCloser, patience time.Duration, stall func(), sending bool) *body {
	b := &body{ReadCloser: content, sending: sending, patience: patience}
	b.timer = time.AfterFunc(patience, stall)
	if !sending {
		b.timer.Stop()
	}
	b.began = time.Now()
	return b
}

func (b *body) Read(p []byte) (int, error) {
	b.wait(!b.sending, 0)
	n, err := b.ReadCloser.Read(p)
	b.wait(b.sending && err == nil, n)
	return n, err
}

// wait begins or ends a wait.
func (b *body) wait(begin bool, moved int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer.Stop() {
		b.waited += time.Since(b.began)
	}
	if b.moved += int64(moved); b.moved >= leastProgress {
		b.moved, b.waited = 0, 0
	}
	if begin {
		b.began = time.Now()
		b.timer.Reset(max(b.patience-b.waited, 0))
	}
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.wait(false, 0)
	return b.ReadCloser.Close()
}

// An answerBody ends its request with it, and says why it was ended.
type answerBody struct {
	*body
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (a *answerBody) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	if err != nil && err != io.EOF && a.ctx.Err() != nil {
		err = context.Cause(a.ctx)
	}
	return n, err
}

func (a *answerBody) Close() error {
	defer a.cancel(nil)
	return a.body.Close()
}

package vat

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"capnproto.org/go/capnp/v3"
)

// A Holding is a facet a daemon was granted: the capability behind it changes when its provider restarts, the holding
// stays.
type Holding struct {
	facet string

	mu      sync.Mutex
	client  capnp.Client  // valid while the provider lives
	revoked bool          // nothing comes until a link is granted again
	changed chan struct{} // closed and replaced at each change of client
}

// ErrRevoked is why a facet cannot be reached that was taken back: waiting for the provider's next life would not help.
var ErrRevoked = errors.New("it was revoked")

// NewHolding returns an empty holding; initd, which has no endowment channel, makes its own. Renew fills it.
func NewHolding(facet string) *Holding {
	return &Holding{facet: facet, changed: make(chan struct{})}
}

// Get waits until the provider is there and returns its capability, which the caller releases. The wait ends with ctx,
// and with ErrRevoked when the facet was taken back.
func (h *Holding) Get(ctx context.Context) (capnp.Client, error) {
	for {
		h.mu.Lock()
		client, changed, revoked := h.client, h.changed, h.revoked
		if client.IsValid() {
			client = client.AddRef()
		}
		h.mu.Unlock()
		switch {
		case client.IsValid():
			return client, nil
		case revoked:
			return capnp.Client{}, fmt.Errorf("cannot reach %s: %w", h.facet, ErrRevoked)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return capnp.Client{}, fmt.Errorf("cannot reach %s: %w", h.facet, ctx.Err())
		}
	}
}

// Now returns the provider's capability, which the caller releases, if it is there. It does not wait.
func (h *Holding) Now() (client capnp.Client, there bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.client.AddRef(), h.client.IsValid()
}

// Call runs f with the capability and, when its connection ends under f, again with that of the provider's next life.
// It waits for that life as long as ctx. f must be such that it may run twice.
func (h *Holding) Call(ctx context.Context, f func(capnp.Client) error) error {
	for {
		client, err := h.Get(ctx)
		if err != nil {
			return err
		}
		err = f(client)
		if Disconnected(err) {
			h.Lost(ctx, client)
		}
		client.Release()
		if !Disconnected(err) {
			return err
		}
	}
}

// Each runs f for every life of the provider, one after another, until ctx ends: f gets the capability, owned by Each,
// and a context that ends with that life. It is how a daemon registers again or subscribes again after the other side
// restarted.
func (h *Holding) Each(ctx context.Context, f func(ctx context.Context, client capnp.Client)) {
	for {
		h.mu.Lock()
		client, changed := h.client, h.changed
		if client.IsValid() {
			client = client.AddRef()
		}
		h.mu.Unlock()
		if client.IsValid() {
			runLife(ctx, changed, client, f)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func runLife(ctx context.Context, over <-chan struct{}, client capnp.Client, f func(context.Context, capnp.Client)) {
	life, end := context.WithCancel(ctx)
	defer end()
	defer client.Release()
	go func() {
		select {
		case <-over:
			end()
		case <-life.Done():
		}
	}()
	f(life, client)
}

// Renew puts a fresh connection behind the holding, once its provider has answered, for as long as it lives.
func (h *Holding) Renew(conn *Conn) {
	h.mu.Lock()
	h.revoked = false
	h.mu.Unlock()
	go func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			<-conn.Done()
			cancel()
		}()
		client, err := conn.Bootstrap(ctx)
		if err != nil {
			conn.Close()
			return
		}
		h.set(client)
		<-conn.Done()
		h.drop(client)
	}()
}

// revoke gives the capability up, and has Get fail until the next Renew.
func (h *Holding) revoke() {
	h.mu.Lock()
	old := h.client
	h.client, h.revoked = capnp.Client{}, true
	close(h.changed)
	h.changed = make(chan struct{})
	h.mu.Unlock()
	old.Release()
}

// set takes the client over and gives up the one before it. One that comes after the facet was revoked is not wanted
// any more.
func (h *Holding) set(client capnp.Client) {
	h.mu.Lock()
	if h.revoked {
		h.mu.Unlock()
		client.Release()
		return
	}
	old := h.client
	h.client = client
	close(h.changed)
	h.changed = make(chan struct{})
	h.mu.Unlock()
	old.Release()
}

// drop gives the client up if the holding still has it.
func (h *Holding) drop(client capnp.Client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client != client {
		return
	}
	h.client = capnp.Client{}
	close(h.changed)
	h.changed = make(chan struct{})
	client.Release()
}

// Lost waits until the holding no longer has this capability, which a call has just found disconnected: the end of a
// connection reaches its caller before it reaches the holding. It ends with ctx, too.
func (h *Holding) Lost(ctx context.Context, client capnp.Client) {
	for {
		h.mu.Lock()
		same, changed := h.client.IsSame(client), h.changed
		h.mu.Unlock()
		if !same {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

package vat

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"capnproto.org/go/capnp/v3"
)

// A Holding is a facet granted to a daemon. The capability behind it changes when its provider restarts; the holding
// stays.
type Holding struct {
	facet string

	mu      sync.Mutex
	client  capnp.Client  // valid while the provider runs
	conn    *Conn         // over which it came
	newest  *Conn         // it may not have answered yet
	revoked bool          // no client until a link is granted again
	changed chan struct{} // closed and replaced when client changes
	asking  chan struct{} // a token for whoever asks for a link

	handing sync.Mutex // held during a call whose answer may come with a file
}

// usable reports whether there is a capability whose connection has not ended, so that a caller whose call just failed
// does not get the same capability again. The lock is held.
func (h *Holding) usable() bool { return h.client.IsValid() && (h.conn == nil || !h.conn.Ended()) }

// ErrRevoked is the cause when a facet was revoked: waiting for the provider's next instance would not help.
var ErrRevoked = errors.New("revoked")

// NewHolding returns an empty holding, for initd, which has no endowment channel. Renew fills it.
func NewHolding(facet string) *Holding {
	return &Holding{facet: facet, changed: make(chan struct{}), asking: make(chan struct{}, 1)}
}

// Ask waits until nobody else asks for a link for this holding: each new link ends the one before, on which another may
// already be calling. Whoever asked calls answered, and looks at Now before asking.
func (h *Holding) Ask(ctx context.Context) (answered func(), err error) {
	select {
	case h.asking <- struct{}{}:
		return func() { <-h.asking }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Get waits for the provider and returns its capability, which the caller releases. It fails when ctx ends, and with
// ErrRevoked when the facet is revoked.
func (h *Holding) Get(ctx context.Context) (capnp.Client, error) {
	for {
		h.mu.Lock()
		changed, revoked := h.changed, h.revoked
		client, there := capnp.Client{}, h.usable()
		if there {
			client = h.client.AddRef()
		}
		h.mu.Unlock()
		switch {
		case there:
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

// Now returns the provider's capability, which the caller releases, if there is one. It does not wait.
func (h *Holding) Now() (client capnp.Client, there bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.usable() {
		return capnp.Client{}, false
	}
	return h.client.AddRef(), true
}

// Handed makes a call and returns the file that the provider sent with its answer, which the caller closes, or nil. A
// file is known only as the last one that came, so one such call is made at a time.
func (h *Holding) Handed(call func() error) (*os.File, error) {
	h.handing.Lock()
	defer h.handing.Unlock()
	if err := call(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	conn := h.conn
	h.mu.Unlock()
	if conn == nil {
		return nil, nil
	}
	return conn.Take(), nil
}

// Call runs f with the capability. If the connection ends during f, it waits for the provider's next instance, at most
// until ctx ends, and runs f again. f must be safe to repeat.
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

// Each runs f for each instance of the provider, one after the other, until ctx ends. f gets the capability, which Each
// releases, and a context that ends with the instance. Daemons use it to register or subscribe again after the other
// side has restarted.
func (h *Holding) Each(ctx context.Context, f func(ctx context.Context, client capnp.Client)) {
	for {
		h.mu.Lock()
		client, changed := h.client, h.changed
		if client.IsValid() {
			client = client.AddRef()
		}
		h.mu.Unlock()
		if client.IsValid() {
			runInstance(ctx, changed, client, f)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func runInstance(ctx context.Context, over <-chan struct{}, client capnp.Client,
	f func(context.Context, capnp.Client)) {
	instance, end := context.WithCancel(ctx)
	defer end()
	defer client.Release()
	go func() {
		select {
		case <-over:
			end()
		case <-instance.Done():
		}
	}()
	f(instance, client)
}

// Renew fills the holding from a new connection once its provider has answered, until the connection ends.
func (h *Holding) Renew(conn *Conn) {
	h.mu.Lock()
	h.revoked, h.newest = false, conn
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
		h.set(client, conn)
		<-conn.Done()
		h.drop(client)
	}()
}

// revoke releases the capability and makes Get fail until the next Renew.
func (h *Holding) revoke() {
	h.mu.Lock()
	old := h.client
	h.client, h.revoked = capnp.Client{}, true
	close(h.changed)
	h.changed = make(chan struct{})
	h.mu.Unlock()
	old.Release()
}

// set stores the client, which it takes over, and releases the previous one. A client that arrives after a revocation,
// or over a connection that is not the newest, is released at once.
func (h *Holding) set(client capnp.Client, conn *Conn) {
	h.mu.Lock()
	if h.revoked || conn != h.newest {
		h.mu.Unlock()
		client.Release()
		return
	}
	old := h.client
	h.client, h.conn = client, conn
	close(h.changed)
	h.changed = make(chan struct{})
	h.mu.Unlock()
	old.Release()
}

// drop releases the client if the holding still has it.
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

// Lost waits until the holding no longer has this capability, or until ctx ends. Callers use it when a call has failed
// as disconnected: they learn that before the holding does.
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

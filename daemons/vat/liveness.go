package vat

import (
	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/endowment"
)

// OnPing registers f to run before each ping from initd is answered. f should do a small piece of the daemon's work as
// its clients' calls would, under the same locks, and must not wait for another process. A daemon that can no longer do
// any work then fails to answer, even though its process runs. At most one f runs at a time. Without f, an answer only
// proves that the process reads its channel.
func (b *Endowments) OnPing(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.onPing = f
}

// answer answers a ping. A ping that arrives while f still runs for an earlier one gets no answer of its own.
func (b *Endowments) answer() {
	b.mu.Lock()
	onPing, busy := b.onPing, b.asked
	b.asked = onPing != nil
	b.mu.Unlock()
	switch {
	case onPing == nil:
		b.alive()
	case !busy:
		go func() {
			onPing()
			b.mu.Lock()
			b.asked = false
			b.mu.Unlock()
			b.alive()
		}()
	}
}

func (b *Endowments) alive() { sendReport(b.channel, report{Kind: endowment.Report_Kind_alive}) }

// Served waits until a call has been answered, with whatever result. Daemons use it to call themselves the way their
// clients do.
func Served[T interface{ Done() <-chan struct{} }](answer T, release capnp.ReleaseFunc) {
	defer release()
	<-answer.Done()
}

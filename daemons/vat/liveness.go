package vat

import (
	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/endowment"
)

// OnPing has initd's question whether the daemon is alive answered once f has returned. f does a little of the daemon's
// work where its clients have it done, by the same locks, and waits for no other process: a daemon that can do no work
// any more then gives no sign of life, though its process runs. f runs at most once at a time. Without it the answer
// says only that the process takes what comes over its channel.
func (b *Endowments) OnPing(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.vital = f
}

// answer answers a ping. One that comes while the work for the one before is not done has no answer of its own.
func (b *Endowments) answer() {
	b.mu.Lock()
	vital, busy := b.vital, b.asked
	b.asked = vital != nil
	b.mu.Unlock()
	switch {
	case vital == nil:
		b.alive()
	case !busy:
		go func() {
			vital()
			b.mu.Lock()
			b.asked = false
			b.mu.Unlock()
			b.alive()
		}()
	}
}

func (b *Endowments) alive() { sendReport(b.channel, report{Kind: endowment.Report_Kind_alive}) }

// Served waits until a call has been answered, whatever the answer is. A daemon calls itself so, by the way that its
// clients' calls go.
func Served[T interface{ Done() <-chan struct{} }](answer T, release capnp.ReleaseFunc) {
	defer release()
	<-answer.Done()
}

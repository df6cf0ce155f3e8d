package updated

import (
	"context"
	"sync"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/daemons/convert"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/updater"
)

// listening is a bundlemgrd that passes on which slots it is to publish.
type listening struct {
	*bundlemgrd
	slots chan bootctl.Slot
}

func (l listening) SetActiveSlot(_ context.Context, call bundle.SlotPublisher_setActiveSlot) error {
	l.slots <- convert.SlotOf(call.Args().Slot())
	return nil
}

// TestWhatIsResumedIsPublished resumes publications while bundlemgrd runs: it is told of each, although it has not
// restarted.
func TestWhatIsResumedIsPublished(t *testing.T) {
	told := listening{slots: make(chan bootctl.Slot, 1)}
	p := newPublisher(provided(t, capnp.Client(bundle.SlotPublisher_ServerToClient(told))))
	ctx, stop := context.WithCancel(t.Context())
	var keeping sync.WaitGroup
	keeping.Go(func() {
		p.keep(ctx, func(err error) {
			if ctx.Err() == nil {
				t.Error(err)
			}
		})
	})
	defer keeping.Wait()
	defer stop()
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B, bootctl.A} {
		slotPublisher{p, ""}.Resume(updater.Publication{Slot: slot})
		select {
		case got := <-told.slots:
			if got != slot {
				t.Errorf("slot %s is published, want %s", got, slot)
			}
		case <-time.After(vattest.Patience):
			t.Fatalf("slot %s is not published", slot)
		}
	}
}

package vat_test

import (
	"context"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"
	"capnproto.org/go/capnp/v3/server"

	"nexus/daemons/vat"
)

// A listener is an observer's capability; gone is closed when it is released.
type listener struct{ gone chan struct{} }

func (l *listener) Shutdown() { close(l.gone) }

func listen() (*listener, capnp.Client) {
	l := &listener{make(chan struct{})}
	return l, capnp.NewClient(server.New(nil, l, l))
}

// within waits for a value from c.
func within[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(limit):
		t.Fatalf("timed out waiting for %s", what)
	}
	return v
}

// TestASilentObserverLosesItsPlaceAlone follows one state with two observers, one of which does not answer. That one is
// released and frees its place; the other sees the following changes.
func TestASilentObserverLosesItsPlaceAlone(t *testing.T) {
	feed := vat.Feed{Changed: vat.NewNotifier(), Quota: vat.NewQuota("observers", 2), Slow: 20 * time.Millisecond}
	told := make(chan struct{}, 16)
	good, goodClient := listen()
	subscription, err := feed.Follow(goodClient, func(context.Context) (bool, error) {
		told <- struct{}{}
		return false,
			nil
	})
	if err != nil {
		t.Fatal(err)
	}
	silent, silentClient := listen()
	_, err = feed.Follow(silentClient, func(ctx context.Context) (bool, error) {
		<-ctx.Done()
		return false,
			ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the first word", told)
	within(t, "the end of the silent one", silent.gone)
	feed.Changed.Notify()
	within(t, "the next word", told)

	next, nextClient := listen()
	for {
		if _, err = feed.Follow(nextClient.AddRef(), func(context.Context) (bool, error) {
			return false,
				nil
		}); err == nil {
			break // the place is freed shortly after the observer is released
		}
		if !exc.IsType(err, exc.Overloaded) {
			t.Fatal(err)
		}
	}
	nextClient.Release()
	_, late := listen()
	if _, err := feed.Follow(late, nil); err == nil || err.Error() != "too many open observers: the limit is 2" {
		t.Errorf("one observer too many: %v", err)
	}
	subscription.Shutdown()
	within(t, "the end of the good one", good.gone)
	select {
	case <-next.gone:
		t.Error("an observer that answers was released")
	default:
	}
}

func TestANullObserverIsRefused(t *testing.T) {
	feed := vat.Feed{Changed: vat.NewNotifier(), Quota: vat.NewQuota("observers", 1)}
	for range 3 { // a null observer takes no place
		if _, err := feed.Follow(capnp.Client{}, nil); err == nil ||
			err.Error() != "cannot subscribe: the observer is null" {
			t.Errorf("got %v", err)
		}
	}
}

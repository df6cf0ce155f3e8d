package vat_test

import (
	"context"
	"sync"
	"testing"

	"nexus/daemons/vat"
)

// TestADeadlockedDaemonGivesNoSign blocks a method of a daemon that holds its lock: pings get no answer, although the
// channel is read. Once the lock is free, one answer is sent.
func TestADeadlockedDaemonGivesNoSign(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	b, end := newChannel(t)
	var state sync.Mutex
	b.OnPing(func() {
		state.Lock()
		defer state.Unlock()
	})
	ping := func() {
		t.Helper()
		if err := end.Ping(); err != nil {
			t.Fatal(err)
		}
	}
	ping()
	receive(t, ctx, end.Alive())
	state.Lock()
	ping()
	ping()
	taken(t, ctx, b, end, "before")
	if answered(end) {
		t.Error("a deadlocked daemon answered a ping")
	}
	state.Unlock()
	receive(t, ctx, end.Alive())
	ping()
	receive(t, ctx, end.Alive())
}

// taken waits until the daemon has read everything sent to it, and its parent has read the replies.
func taken(t *testing.T, ctx context.Context, b *vat.Endowments, end *vat.Parent, setting string) {
	t.Helper()
	if err := end.GrantSetting(setting, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Setting(ctx, setting); err != nil {
		t.Fatal(err)
	}
	if err := b.ReportEnded("last", 1); err != nil {
		t.Fatal(err)
	}
	receive(t, ctx, end.Ended())
}

func answered(end *vat.Parent) bool {
	select {
	case <-end.Alive():
		return true
	default:
		return false
	}
}

package world_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/operator"
	capupdate "nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// stager returns UpdateStage as the role stage gets it.
func stager(t testing.TB, ctx context.Context, w *world.World) capupdate.UpdateStage {
	t.Helper()
	client, release, err := facetsOf["UpdateStage"](ctx, as(t, ctx, w, "stage"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return capupdate.UpdateStage(client)
}

// beginStage begins a stage of a given size, or returns why it cannot.
func beginStage(t testing.TB, ctx context.Context, stage capupdate.UpdateStage,
	size uint64) (capupdate.StageSink, error) {
	t.Helper()
	answer, release := stage.Stage(ctx,
		func(p capupdate.UpdateStage_stage_Params) error { p.SetSizeBytes(size); return nil })
	t.Cleanup(release)
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	return res.Sink(), convert.Refused(res.Refusal())
}

func send(ctx context.Context, sink capupdate.StageSink, chunk []byte) error {
	writer := sink.AddRef()
	defer writer.Release()
	if err := writer.Write(ctx,
		func(p capupdate.StageSink_write_Params) error { return p.SetBytes(chunk) }); err != nil {
		return err
	}
	return writer.WaitStreaming()
}

// TestAStageThatHardlyMovesIsEnded has the role stage block staging by sending almost nothing, as often as it can.
func TestAStageThatHardlyMovesIsEnded(t *testing.T) {
	for what, chunk := range map[string]int{"empty chunks": 0, "one byte at a time": 1} {
		t.Run(what, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			w := shared(t)
			o := w.Operator()
			archive := set(t, "1.1.0", "serve 1.1.0")
			sink, err := beginStage(t, ctx, stager(t, ctx, w), uint64(len(archive)))
			if err != nil {
				t.Fatal(err)
			}
			winding(w, func() {
				for n := 0; ; n++ {
					if err = send(ctx, sink, archive[n*chunk:(n+1)*chunk]); err != nil {
						return
					}
					if s, err := o.State(); ctx.Err() != nil || err == nil && !s.Staging {
						return
					}
				}
			})
			if ctx.Err() != nil {
				t.Fatalf("the stage was not ended:\n%s", w.Console())
			}
			done, release := sink.Done(ctx, nil)
			defer release()
			outcome, err := done.Struct()
			if err != nil {
				t.Fatal(err)
			}
			if err := convert.Refused(outcome.Refusal()); refusal.Of(err) != refusal.Stalled {
				t.Errorf("the stage ended with %v, want %s", err, refusal.Stalled)
			}
			updates(t, w, o, "1.1.0", bootctl.B)
		})
	}
}

// TestAnOperatorEndsAStage ends the stage of the role stage: its sender gets the reason, and however often it tries, it
// cannot begin another before the operator has.
func TestAnOperatorEndsAStage(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := shared(t)
	o := w.Operator()
	if ended, err := o.EndStage(); ended || err != nil {
		t.Errorf("with no stage under way: ended %t, %v", ended, err)
	}
	w.Clock.Wind(2 * time.Minute)
	stage := stager(t, ctx, w)
	sink, err := beginStage(t, ctx, stage, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if ended, err := o.EndStage(); !ended || err != nil {
		t.Fatalf("ended %t, %v", ended, err)
	}
	done, release := sink.Done(ctx, nil)
	defer release()
	outcome, err := done.Struct()
	if err != nil {
		t.Fatal(err)
	}
	lost := convert.Refused(outcome.Refusal())
	if refusal.Of(lost) != refusal.Cancelled || !strings.Contains(refusal.DetailOf(lost),
		"an operator ended the stage") {
		t.Errorf("the sender got %v", lost)
	}
	if _, err := beginStage(t, ctx, stage, 1<<20); refusal.Of(err) != refusal.StageInProgress {
		t.Errorf("the sender begins another stage: %v, want %s", err, refusal.StageInProgress)
	}
	updates(t, w, o, "1.1.0", bootctl.B)
	sink, err = beginStage(t, ctx, stage, 1<<20)
	if err != nil {
		t.Errorf("a stage once the operator's is taken up: %v", err)
	}
	capnp.Client(sink).Release()
}

// TestWhatAnOperatorStagedIsHis has the role stage begin a stage between an operator's stage and switch: it has to wait
// for a minute.
func TestWhatAnOperatorStagedIsHis(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := shared(t)
	stage := stager(t, ctx, w)
	staged, err := w.Operator().Stage(set(t, "1.1.0", "serve 1.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Release()
	if _, err := beginStage(t, ctx, stage, 1<<20); refusal.Of(err) != refusal.StageInProgress {
		t.Errorf("at once: %v, want %s", err, refusal.StageInProgress)
	}
	own, release, err := facetsOf["UpdateStage"](ctx, as(t, ctx, w, "control"))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	again, err := beginStage(t, ctx, capupdate.UpdateStage(own), 1<<20)
	if err != nil {
		t.Errorf("an operator stages again: %v", err)
	}
	capnp.Client(again).Release()
	w.Clock.Wind(2 * time.Minute)
	if _, err := beginStage(t, ctx, stage, 1<<20); err != nil {
		t.Errorf("two minutes later: %v", err)
	}
}

// TestAStageThatIsGivenBackIsWaitedFor drops a connection during a stage and updates at once, again and again.
func TestAStageThatIsGivenBackIsWaitedFor(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := shared(t)
	for range 5 {
		conn := w.Dial(t, "stage.sock")
		root, err := conn.Bootstrap(ctx)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := operator.Operator(root).Stage(ctx, nil)
		if _, err := beginStage(t, ctx, answer.Stage(), 1<<20); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		staged, err := w.Operator().Stage(set(t, "1.1.0", "serve 1.1.0"))
		if err != nil {
			t.Fatalf("a stage after one that was dropped: %v", err)
		}
		staged.Release()
		w.Clock.Wind(2 * time.Minute) // the role stage may begin again
	}
}

// TestSinksOutOfOrder calls the methods of a sink after the stage has ended.
func TestSinksOutOfOrder(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := shared(t)
	archive := set(t, "1.1.0", "serve 1.1.0")
	sink, err := beginStage(t, ctx, stager(t, ctx, w), uint64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	if err := send(ctx, sink, archive); err != nil {
		t.Fatal(err)
	}
	first, releaseFirst := sink.Done(ctx, nil)
	defer releaseFirst()
	if res, err := first.Struct(); err != nil || res.HasRefusal() {
		t.Fatalf("the stage: %v", err)
	}
	for range 2 {
		done, release := sink.Done(ctx, nil)
		if _, err := done.Struct(); err == nil || convert.Text(err) != "cannot finish stage: done was called before" {
			t.Errorf("done after done: %v", err)
		}
		release()
		if err := send(ctx, sink, []byte{1}); err == nil {
			t.Error("a chunk after done was accepted")
		}
	}
}

// TestSizesAreSaidAsTheyWereSent checks that a size that does not fit a signed integer is refused with the number that
// was sent.
func TestSizesAreSaidAsTheyWereSent(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := shared(t)
	stage := stager(t, ctx, w)
	for size, text := range map[uint64]string{
		1<<62 + 1: "4611686018427387905", 1<<63 - 1: "9223372036854775807", 1 << 63: "9223372036854775808",
		1<<64 - 1: "18446744073709551615",
	} {
		_, err := beginStage(t, ctx, stage, size)
		if refusal.Of(err) != refusal.ArchiveTooLarge ||
			!strings.Contains(refusal.DetailOf(err), "archive of "+text+" bytes") {
			t.Errorf("%d: %v", size, err)
		}
	}
}

// TestNullObserversAreRefused passes a null observer to each method that takes one.
func TestNullObserversAreRefused(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := shared(t)
	o := w.Operator()
	status, release, err := facetsOf["UpdateStatus"](ctx, as(t, ctx, w, "status"))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	subscriptions := map[string]func() error{
		"UpdateStatus.follow": func() error {
			answer, release := capupdate.UpdateStatus(status).Follow(ctx, nil)
			defer release()
			_, err := answer.Struct()
			return err
		},
		"Updated.follow": func() error {
			updated, err := o.Updated(ctx)
			if err != nil {
				return err
			}
			defer updated.Release()
			answer, release := updated.Follow(ctx, nil)
			defer release()
			_, err = answer.Struct()
			return err
		},
	}
	for what, subscribe := range subscriptions {
		if err := subscribe(); err == nil || convert.Text(err) != "cannot subscribe: the observer is null" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

package links_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	"nexus/daemons/initd/links"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// outside is a table of what those outside may be handed.
func outside() []links.Row {
	return []links.Row{{Name: links.Operators, Holds: []links.Edge{{Facet: "UpdateStage", From: "updated"}}}}
}

// TestDirectLinkWaitsForItsDaemon asks for a direct link before the daemon runs. It is made at the daemon's start, and
// not again at the next.
func TestDirectLinkWaitsForItsDaemon(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	l := links.New(links.Config{Table: outside(), Clock: plat.RealClock{}})
	s := l.OpenSession("stage", []string{"stage", "link"}, "")
	made := make(chan error)
	go func() {
		end, _, err := s.Direct(ctx, "UpdateStage")
		if err == nil {
			err = end.Close()
		}
		made <- err
	}()
	for _, introduced := l.Count(); introduced == 0; _, introduced = l.Count() {
		if ctx.Err() != nil {
			t.Fatal("nobody waits for the daemon")
		}
	}
	channel, parent := living(t, l, "updated")
	served := make(chan vat.Client, 2)
	channel().Serve("UpdateStage", func(c vat.Client) capnp.Client { served <- c; return capnp.Client{} })
	if err := l.Endow("updated", parent); err != nil {
		t.Fatal(err)
	}
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	if c := <-served; c.Name != "stage" {
		t.Errorf("served to %q", c.Name)
	}
	if made, introduced := l.Count(); made != 1 || introduced != 0 {
		t.Errorf("%d links, %d introductions, want one that is made once", made, introduced)
	}
	s.End()
	if made, introduced := l.Count(); made != 0 || introduced != 0 {
		t.Errorf("%d links, %d introductions left", made, introduced)
	}
	if _, _, err := s.Direct(ctx, "UpdateStage"); err == nil {
		t.Error("got a link for a session that has ended")
	}
}

// TestDirectLinkIsGivenUp gives up waiting for a daemon: nothing is left of it.
func TestDirectLinkIsGivenUp(t *testing.T) {
	l := links.New(links.Config{Table: outside(), Clock: plat.RealClock{}})
	s := l.OpenSession("stage", nil, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Direct(ctx, "UpdateStage"); err == nil {
		t.Error("got a link to a daemon that does not run")
	}
	if made, introduced := l.Count(); made != 0 || introduced != 0 {
		t.Errorf("%d links, %d introductions left", made, introduced)
	}
}

// TestNoDirectLinkToADaemonThatIsBehind has a daemon that takes nothing from its channel. Those outside get no more
// links to it long before it is given up for what it was granted.
func TestNoDirectLinkToADaemonThatIsBehind(t *testing.T) {
	l := links.New(links.Config{Table: outside(), Clock: plat.RealClock{}})
	_, updated := living(t, l, "updated")
	for {
		select {
		case <-updated.Overflowed():
			t.Fatal("those outside have crowded out what the daemon is granted")
		default:
		}
		s := l.OpenSession("stage", nil, "")
		end, _, err := s.Direct(t.Context(), "UpdateStage")
		if err != nil {
			if want := "cannot make link: updated does not read its channel"; err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			return
		}
		end.Close()
		s.End()
	}
}

// TestProvidersKnowWhatWasGivenUp attenuates a session step by step. Each provider is told which connection calls and
// what each step gave up, and what leads to the same links is the same session.
func TestProvidersKnowWhatWasGivenUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	l := links.New(links.Config{Table: outside(), Clock: plat.RealClock{}})
	channel, parent := living(t, l, "updated")
	served := make(chan vat.Client, 8)
	channel().Serve("UpdateStage", func(c vat.Client) capnp.Client { served <- c; return capnp.Client{} })
	if err := l.Endow("updated", parent); err != nil {
		t.Fatal(err)
	}
	l.OpenSession("operator", nil, "") // so that the number is not the first one
	s := l.OpenSession("stage", nil, "key:1")
	lesser := s.Without([]string{"stop", "reboot"}).Without(nil).Without([]string{"exec"})
	for _, o := range []*links.Session{s, lesser} {
		end, _, err := o.Direct(ctx, "UpdateStage")
		if err != nil {
			t.Fatal(err)
		}
		end.Close()
	}
	for _, want := range [][]string{nil, {"stop,reboot", "exec"}} {
		c := <-served
		if c.Name != "stage" || c.Connection != "2 key:1" || !slices.Equal(c.GivenUp, want) {
			t.Errorf("served to %+v, want %q given up", c, want)
		}
	}
	s.End()
	if made, introduced := l.Count(); made != 0 || introduced != 0 {
		t.Errorf("%d links, %d introductions left", made, introduced)
	}
	if _, _, err := lesser.Direct(ctx, "UpdateStage"); err == nil {
		t.Error("got a link for an attenuated session that has ended")
	}
}

// TestAttenuationsInUseAreBounded uses one connection attenuated in many ways: those that have links are bounded, the
// same one may be used again, and another connection has its own.
func TestAttenuationsInUseAreBounded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	l := links.New(links.Config{Table: outside(), Clock: plat.RealClock{}})
	channel, parent := living(t, l, "updated")
	channel().Serve("UpdateStage", func(vat.Client) capnp.Client { return capnp.Client{} })
	if err := l.Endow("updated", parent); err != nil {
		t.Fatal(err)
	}
	s := l.OpenSession("operator", nil, "")
	use := func(s *links.Session, method string) error {
		end, _, err := s.Without([]string{method}).Direct(ctx, "UpdateStage")
		if err == nil {
			err = end.Close()
		}
		return err
	}
	for n := range 8 {
		if err := use(s, fmt.Sprint("method", n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := use(s, "another"); !exc.IsType(err, exc.Overloaded) {
		t.Errorf("the ninth attenuation: %v, want overloaded", err)
	}
	if err := use(s, "method7"); err != nil {
		t.Errorf("the eighth again: %v", err)
	}
	if err := use(l.OpenSession("operator", nil, ""), "another"); err != nil {
		t.Errorf("on another connection: %v", err)
	}
}

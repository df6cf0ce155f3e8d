package execd

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/exec"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// publicationOf is a publication of the system with these bundles, and with packages of one app each.
func publicationOf(bundles, apps []string) publication {
	p := publication{}
	for _, name := range bundles {
		p.bundles = append(p.bundles, spec{name: name})
	}
	for _, name := range apps {
		p.apps = append(p.apps, publication{app: name, bundles: []spec{{app: name, name: name}}})
	}
	return p
}

// usersIn returns the users by bundle, and fails if two bundles have the same.
func usersIn(t *testing.T, p publication, from plat.UserRange) map[string]uint32 {
	t.Helper()
	users, taken := map[string]uint32{}, map[uint32]string{}
	for _, b := range p.all() {
		if other, is := taken[b.user]; is {
			t.Errorf("%s and %s have the same user", b.name, other)
		}
		if b.user < from.First || b.user >= from.First+from.Count {
			t.Errorf("%s has user %d, which is not in the range", b.name, b.user)
		}
		users[b.name], taken[b.user] = b.user, b.name
	}
	return users
}

// Bundles of the system and of apps have a user each. One that stays keeps it, whatever comes and goes.
func TestUsersOfAppsAndTheSystemDiffer(t *testing.T) {
	from := plat.UserRange{First: 1 << 20, Count: 8}
	s := &supervisor{changed: vat.NewNotifier()}
	a := newAppRuns(s, from)
	first := publicationOf([]string{"shell", "web"}, []string{"clock", "mail"})
	a.assign(first, true)
	had := usersIn(t, first, from)
	for i, p := range []publication{
		publicationOf([]string{"shell", "web"}, []string{"abacus", "clock", "mail"}),
		publicationOf([]string{"about", "shell", "web", "zoo"}, []string{"clock", "mail"}),
	} {
		a.assign(p, true)
		for name, user := range usersIn(t, p, from) {
			if had[name] != 0 && had[name] != user {
				t.Errorf("publication %d gives %s another user", i, name)
			}
		}
	}
}

// A name that a publication lacks keeps its user until its service has ended, or while others may be named later.
func TestUsersAreFreedOnceNothingRuns(t *testing.T) {
	from := plat.UserRange{First: 1 << 20, Count: 3}
	for _, c := range []struct {
		name      string
		all, runs bool
		want      bool // the user is kept
	}{
		{"not all are named", false, false, true},
		{"it has not ended yet", true, true, true},
		{"it has ended", true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &supervisor{changed: vat.NewNotifier()}
			a := newAppRuns(s, from)
			a.assign(publicationOf([]string{"shell"}, []string{"mail"}), true)
			if c.runs {
				app := a.of("mail")
				app.ending = []*service{{spec: spec{name: "mail"}, sup: app}}
			}
			a.assign(publicationOf([]string{"shell"}, nil), c.all)
			if _, kept := a.users["mail"]; kept != c.want {
				t.Errorf("the user of mail is kept: %v, want %v", kept, c.want)
			}
		})
	}
}

// A program that was started on demand keeps its user when its bundle is not published any more, and what is published
// in its place gets another. One that was looked up before that is not started.
func TestAProgramOnDemandKeepsItsUser(t *testing.T) {
	from := plat.UserRange{First: 1 << 20, Count: 1}
	a := newAppRuns(&supervisor{changed: vat.NewNotifier()}, from)
	published := publicationOf([]string{"tool"}, nil)
	a.assign(published, true)
	tool := published.bundles[0]
	_, done, err := a.demand(tool)
	if err != nil {
		t.Fatal(err)
	}
	a.assign(publicationOf(nil, nil), true)
	if a.users["tool"] != tool.user {
		t.Error("a program runs, and its user is free")
	}
	done()
	a.assign(publicationOf([]string{"other"}, nil), true)
	if a.users["other"] != tool.user {
		t.Error("the program has ended, and its user is not free")
	}
	if _, _, err := a.demand(tool); refusal.Of(err) != refusal.UnknownBundle {
		t.Errorf("its user is another bundle's: got %v, want %s", err, refusal.UnknownBundle)
	}
}

// However many names still have users, those that are published get some.
func TestUsersSuffice(t *testing.T) {
	from := plat.UserRange{First: 1 << 20, Count: 4}
	a := newAppRuns(&supervisor{changed: vat.NewNotifier()}, from)
	for i := range 8 {
		p := publicationOf([]string{fmt.Sprint("a", i), fmt.Sprint("b", i)}, []string{fmt.Sprint("c", i)})
		a.assign(p, false)
		usersIn(t, p, from)
	}
}

// What one package publishes leaves alone what others serve, and those who wait for that.
func TestPublishingAnAppLeavesOthersAlone(t *testing.T) {
	var over []uint64
	c := newForwarder(func(_ string, link uint64) error {
		over = append(over, link)
		return nil
	})
	system, app := &supervisor{}, &supervisor{}
	c.publish(system, []string{"shell"}, nil)
	c.publish(app, []string{"mail"}, nil)
	c.lose("shell", []uint64{1})
	c.lose("mail", []uint64{2})
	c.publish(app, nil, nil)
	if !slices.Equal(over, []uint64{2}) {
		t.Errorf("links %v are over, want only that to the app", over)
	}
	if c.returns(bundleFacet("mail")) || !c.returns(bundleFacet("shell")) {
		t.Error("the app is still a provider, or the bundle of the system is not")
	}
}

// What is started on demand out of an app is waited for when that is uninstalled; nothing more starts then.
func TestProgramsOnDemandEndWithTheirApp(t *testing.T) {
	s := &supervisor{means: &means{forwarder: newForwarder(nil)}, changed: vat.NewNotifier()}
	a := newAppRuns(s, plat.UserRange{First: 1 << 20, Count: 8})
	tool := spec{app: "tool", name: "tool"}
	if _, _, err := a.demand(tool); refusal.Of(err) != refusal.UnknownBundle {
		t.Errorf("before it is published: got %v, want %s", err, refusal.UnknownBundle)
	}
	published := publicationOf(nil, []string{"tool"})
	published.complete = true
	a.take(t.Context(), published)
	ends, done, err := a.demand(tool)
	if err != nil {
		t.Fatal(err)
	}
	run := a.running["tool"]
	a.take(t.Context(), publication{complete: true})
	<-ends.Done()
	if _, _, err := a.demand(tool); refusal.Of(err) != refusal.UnknownBundle {
		t.Errorf("once it is uninstalled: got %v, want %s", err, refusal.UnknownBundle)
	}
	select {
	case <-run.over:
		t.Error("the app is over, and a program of it runs")
	default:
	}
	done()
	<-run.over
}

// Whoever follows the health of an app hears of it after it was gone and has come again, as it does when its slot is
// published anew.
func TestHealthOfAnAppThatComesAgain(t *testing.T) {
	s := &supervisor{
		means: &means{clock: plat.RealClock{}, log: logclient.New("test", vat.NewHolding("LogSink")),
			forwarder: newForwarder(nil), trees: &trees{}},
		changed: vat.NewNotifier(),
	}
	s.apps = newAppRuns(s, plat.UserRange{First: 1 << 20, Count: 8})
	system := exec.ServiceHealth_ServerToClient(&healthServer{system: s})
	defer system.Release()
	app, release := system.App(t.Context(), func(p exec.ServiceHealth_app_Params) error { return p.SetName("mail") })
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	known := uint64(0)
	for boot := range uint64(3) {
		p := publicationOf(nil, []string{"mail"})
		p.complete, p.apps[0].slot, p.apps[0].boot = true, bootrecord.Slot_a, boot+1
		s.apps.take(t.Context(), p)
		for seen := uint64(0); seen != boot+1; {
			answer, release := app.Health().Next(ctx, func(p exec.ServiceHealth_next_Params) error {
				p.SetKnown(known)
				return nil
			})
			res, err := answer.Struct()
			if err != nil {
				t.Fatal(err)
			}
			known, seen = res.Revision(), res.Boot()
			release()
		}
		s.apps.take(t.Context(), publication{complete: true})
		for len(s.apps.all()) > 0 && ctx.Err() == nil {
			runtime.Gosched() // until it is gone
		}
	}
}

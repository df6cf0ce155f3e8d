package world_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	lookup "nexus/daemons/discovery"
	"nexus/daemons/vat"
	"nexus/daemons/world"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// aWord is what the graph shows under a client: a facet, or a name of a grant.
type aWord struct{ client, word string }

// words are all that a graph shows, in its order.
func words(edges []world.Edge) (all []aWord) {
	for _, e := range edges {
		for _, word := range append([]string{e.Facet}, e.Grants...) {
			if w := (aWord{e.Holder, word}); !slices.Contains(all, w) && !strings.HasPrefix(word, "!") {
				all = append(all, w)
			}
		}
	}
	return all
}

// everyRow boots a system in which every row lives and both roles are shared, with two bundles that found BundleMgr, by
// a link of their own and by way of execd, and one that found another bundle.
func everyRow(t *testing.T) (*world.World, *world.Operator) {
	t.Helper()
	w := world.New(t)
	w.State = filepath.Join(w.Dir, "state")
	w.Share("status")
	w.Share("stage")
	w.Visit(func(ctx context.Context, b *vat.Endowments) error {
		<-ctx.Done()
		return nil
	})
	key := updatestest.Key(1)
	service := []string{nxb.AbilityService, nxb.AbilityNative}
	made := []updatestest.Made{
		updatestest.Bundle("alpha", "1.0.0", service, world.Program("link 1.0.0 BundleMgr"), key).Asking("BundleMgr"),
		updatestest.Bundle("beta", "1.0.0", service, world.Program("find 1.0.0"), key).Asking("BundleMgr"),
		updatestest.Bundle("gamma", "1.0.0", service, world.Program("link 1.0.0 bundle/alpha"), key).Asking("bundle/*"),
	}
	w.Start(updatestest.Archive(t, key, "1.0.0", made...), key.Public())
	w.Await("updated: ready (statefs)", 1)
	return w, w.Operator()
}

// unknownMethod asks what no interface has: an answer says that the other end lives.
var unknownMethod = capnp.Method{InterfaceID: 0xdeadbeefdeadbeef, MethodID: 7}

// arrives tells whether a call arrives at whoever serves the capability.
func arrives(ctx context.Context, client capnp.Client) bool {
	answer, release := client.SendCall(ctx, capnp.Send{Method: unknownMethod})
	defer release()
	_, err := answer.Struct()
	return err == nil || exc.IsType(err, exc.Unimplemented)
}

// A held is one way in which a client has something, with the capability that it holds.
type held struct {
	facet  string
	client capnp.Client
}

// holdings are what a client has under a word, live: the facet of its row, and what it found by that name.
func holdings(t *testing.T, ctx context.Context, w *world.World, edges []world.Edge, is aWord) (all []held) {
	t.Helper()
	b := w.EndowmentsOf(is.client)
	for _, e := range edges {
		var client capnp.Client
		var err error
		switch {
		case e.Holder != is.client:
			continue
		case e.Facet == is.word:
			winding(w, func() { client, err = awaited(ctx, b.Use(e.Facet)) })
		case e.Facet == "ServiceManager" && slices.Contains(e.Grants, is.word) && is.word != "bundle/*":
			client = find(t, ctx, w, b, is.word)
			e.Facet = lookup.Facet(is.word)
		default:
			continue
		}
		if err != nil {
			t.Fatalf("%s has no %s: %v", is.client, is.word, err)
		}
		if !arrives(ctx, client) {
			t.Fatalf("%s does not reach %s before", is.client, is.word)
		}
		all = append(all, held{e.Facet, client})
	}
	return all
}

// awaited is what comes behind a holding, also when the word of a grant is still under way.
func awaited(ctx context.Context, h *vat.Holding) (client capnp.Client, err error) {
	for {
		client, err = h.Get(ctx)
		if !errors.Is(err, vat.ErrRevoked) || ctx.Err() != nil {
			return client, err
		}
		runtime.Gosched()
	}
}

// TestWhatTheGraphShowsCanBeRevoked goes through every client and word of the graph. After a revoke the graph does not
// show it any more, no holding of the client under that word reaches anybody, nor does a new look-up, and a grant
// brings all of it back. What cannot be revoked is refused with its own reason, and goes on.
func TestWhatTheGraphShowsCanBeRevoked(t *testing.T) {
	w, o := everyRow(t)
	before := o.Graph()
	revoked := 0
	for _, is := range words(before) {
		t.Run(is.client+"/"+strings.ReplaceAll(is.word, "/", "_"), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if w.EndowmentsOf(is.client) == nil || strings.Contains(is.word, ":") {
				checkOther(t, o, is)
				return
			}
			had := holdings(t, ctx, w, before, is)
			err := o.Revoke(is.client, is.word)
			if refusal.Of(err) == refusal.NotRevocable {
				checkPart(t, before, is, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			revoked++
			if after := o.Graph(); slices.Contains(words(after), is) && !partOfAnother(before, is) {
				t.Errorf("the graph still shows it: %v", after)
			}
			checkGone(t, ctx, w, is, had)
			if err := o.Grant(is.client, is.word); err != nil {
				t.Fatal(err)
			}
			if after := o.Graph(); !slices.Equal(words(after), words(before)) {
				t.Errorf("after the grant the graph shows %v, want %v", words(after), words(before))
			}
			for _, h := range holdings(t, ctx, w, before, is) {
				h.client.Release()
			}
		})
	}
	if revoked < 25 {
		t.Errorf("%d words were revoked: is this the graph?", revoked)
	}
}

// partOfAnother tells whether a word is also what another facet of the client is for.
func partOfAnother(edges []world.Edge, is aWord) bool {
	return slices.ContainsFunc(edges, func(e world.Edge) bool {
		return e.Holder == is.client && e.Facet != "ServiceManager" && slices.Contains(e.Grants, is.word)
	})
}

// checkGone calls on with what a client held under a word, and looks for it again.
func checkGone(t *testing.T, ctx context.Context, w *world.World, is aWord, had []held) {
	t.Helper()
	b := w.EndowmentsOf(is.client)
	for _, h := range had {
		b.Use(h.facet).Lost(ctx, h.client)
		if arrives(ctx, h.client) {
			t.Errorf("%s still reaches %s as %s", is.client, is.word, h.facet)
		}
		h.client.Release()
		var err error
		if name, named := strings.CutPrefix(h.facet, lookup.Facet("")); named {
			err = notFound(ctx, w, b, name)
		} else if client, got := b.Use(h.facet).Get(ctx); !errors.Is(got, vat.ErrRevoked) {
			client.Release()
			err = fmt.Errorf("the facet is to be had: %v", got)
		}
		if err != nil {
			t.Errorf("%s %s: %v", is.client, is.word, err)
		}
	}
}

// notFound looks a name up that was revoked.
func notFound(ctx context.Context, w *world.World, b *vat.Endowments, name string) (err error) {
	winding(w, func() {
		err = b.Use("ServiceManager").Call(ctx, func(capnp.Client) error {
			client, err := lookup.Find(ctx, b, name)
			client.Release()
			return err
		})
	})
	if refusal.Of(err) != refusal.UnknownName {
		return fmt.Errorf("it is looked up again: %w, want unknown-name", err)
	}
	return nil
}

// checkPart holds a refusal against the graph: only a word that is no facet and no name is refused.
func checkPart(t *testing.T, edges []world.Edge, is aWord, refused error) {
	t.Helper()
	if !partOfAnother(edges, is) || !strings.Contains(refused.Error(), "is only a part of what") {
		t.Errorf("%v: %v", is, refused)
	}
}

// checkOther is about what initd, a role or an open file is.
func checkOther(t *testing.T, o *world.Operator, is aWord) {
	t.Helper()
	err := o.Revoke(is.client, is.word)
	if is.word == "Operator" && is.client != "operator" {
		if err != nil || slices.Contains(words(o.Graph()), is) {
			t.Errorf("the role stays: %v", err)
		}
		if err := o.Grant(is.client, is.word); err != nil || !slices.Contains(words(o.Graph()), is) {
			t.Errorf("the role does not come back: %v", err)
		}
		return
	}
	if refusal.Of(err) != refusal.NotRevocable {
		t.Errorf("%v: %v, want not-revocable", is, err)
	}
	if err := o.Grant(is.client, is.word); refusal.Of(err) != refusal.NotRevocable {
		t.Errorf("grant %v: %v, want not-revocable", is, err)
	}
}

// TestWhatExecdLosesItsBundlesLose takes each word from execd by which bundles hold something, with those bundles
// calling on.
func TestWhatExecdLosesItsBundlesLose(t *testing.T) {
	for _, c := range []struct {
		client, word string
		lose, keep   []string
	}{
		{"execd", "BundleMgr", []string{"alpha", "beta"}, nil}, // a facet, and a name
		{"execd", "ServiceManager", []string{"alpha", "beta", "gamma"}, nil},
		{"execd", "BundleIntroducer", []string{"alpha", "beta", "gamma"}, []string{"zeta"}}, // which looks nothing up
		{"execd", "BundleRegistrar", []string{"gamma"}, []string{"alpha", "beta"}},
		{"execd", "bundle/*", []string{"gamma"}, []string{"alpha", "beta"}},
		{"bundlemgrd", "Registrar", []string{"alpha"}, nil},
	} {
		t.Run(c.client+"/"+strings.ReplaceAll(c.word, "/", "_"), func(t *testing.T) {
			w := bundles(t, nil,
				bundleOf{"alpha", "link 1.0.0 BundleMgr", []string{"BundleMgr"}},
				bundleOf{"beta", "find 1.0.0", []string{"BundleMgr"}},
				bundleOf{"delta", "link 1.0.0 bundle/zeta", []string{"bundle/zeta"}},
				bundleOf{"gamma", "link 1.0.0 bundle/zeta", []string{"bundle/*"}},
				bundleOf{"zeta", "serve 1.0.0", nil})
			winding(w, func() { w.Await("init: health ok (slot a)", 1) })
			if err := w.Operator().Revoke(c.client, c.word); err != nil {
				t.Fatal(err)
			}
			winding(w, func() {
				for _, name := range c.lose {
					w.Await(crashed(name), 1)
				}
			})
			passes(w)
			for _, name := range c.keep {
				if w.Shows(crashed(name)) {
					t.Errorf("%s lost what nobody took from it:\n%s", name, w.Console())
				}
			}
		})
	}
}

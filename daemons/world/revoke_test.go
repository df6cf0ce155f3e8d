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

// aWord is an entry in the graph under a client: a facet, or a name in a grant.
type aWord struct{ client, word string }

// words returns all entries of a graph, in its order.
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

// everyRow boots a system with all daemons of the authority table and both shared roles. Two bundles have found
// BundleMgr, one by its own link and one through execd, and one has found another bundle.
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

// unknownMethod is a method that no interface has: an answer proves that the other end is alive.
var unknownMethod = capnp.Method{InterfaceID: 0xdeadbeefdeadbeef, MethodID: 7}

// arrives reports whether a call reaches the server of the capability.
func arrives(ctx context.Context, client capnp.Client) bool {
	answer, release := client.SendCall(ctx, capnp.Send{Method: unknownMethod})
	defer release()
	_, err := answer.Struct()
	return err == nil || exc.IsType(err, exc.Unimplemented)
}

// ends waits until calls on a capability reach nothing. Both ends of a link hear of a revocation on channels of their
// own, one a moment after the other.
func ends(ctx context.Context, client capnp.Client) bool {
	soon, cancel := context.WithTimeout(ctx, limit/2)
	defer cancel()
	for arrives(ctx, client) {
		if soon.Err() != nil {
			return false
		}
		runtime.Gosched()
	}
	return true
}

// A held is one way in which a client has something, and the capability.
type held struct {
	facet  string
	client capnp.Client
}

// holdings returns the ways in which a client has the word, with live capabilities: the facet in its row, and what it
// found by that name.
func holdings(t *testing.T, ctx context.Context, w *world.World, edges []world.Edge, is aWord) (all []held) {
	t.Helper()
	b := w.EndowmentsOf(is.client)
	for _, e := range edges {
		var get func() (capnp.Client, error)
		switch {
		case e.Holder != is.client:
			continue
		case e.Facet == is.word:
			get = func() (client capnp.Client, err error) {
				winding(w, func() { client, err = awaited(ctx, b.Use(e.Facet)) })
				return client, err
			}
		case e.Facet == "ServiceManager" && slices.Contains(e.Grants, is.word) && is.word != "bundle/*":
			e.Facet = lookup.Facet(is.word)
			get = func() (capnp.Client, error) { return find(t, ctx, w, b, is.word), nil }
		default:
			continue
		}
		client, err := alive(ctx, b.Use(e.Facet), get)
		if err != nil {
			t.Fatalf("%s cannot reach %s before the revocation: %v", is.client, is.word, err)
		}
		all = append(all, held{e.Facet, client})
	}
	return all
}

// alive gets a capability that reaches its server. A holding may still have one whose link has ended.
func alive(ctx context.Context, h *vat.Holding, get func() (capnp.Client, error)) (capnp.Client, error) {
	for {
		client, err := get()
		if err != nil || arrives(ctx, client) {
			return client, err
		}
		h.Lost(ctx, client)
		client.Release()
		if err := ctx.Err(); err != nil {
			return capnp.Client{}, err
		}
	}
}

// awaited waits for the capability of a holding, even if the word of a grant is still on its way.
func awaited(ctx context.Context, h *vat.Holding) (client capnp.Client, err error) {
	for {
		client, err = h.Get(ctx)
		if !errors.Is(err, vat.ErrRevoked) || ctx.Err() != nil {
			return client, err
		}
		runtime.Gosched()
	}
}

// TestWhatTheGraphShowsCanBeRevoked tries each client and word in the graph. After a revocation the graph does not show
// it, none of the client's capabilities under that word works, and it cannot be looked up; a grant restores all of
// that. What cannot be revoked is refused with the right reason, and keeps working.
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

// partOfAnother reports whether the word is also in the grants of another facet of the client.
func partOfAnother(edges []world.Edge, is aWord) bool {
	return slices.ContainsFunc(edges, func(e world.Edge) bool {
		return e.Holder == is.client && e.Facet != "ServiceManager" && slices.Contains(e.Grants, is.word)
	})
}

// checkGone uses what a client held under a word, and looks it up again.
func checkGone(t *testing.T, ctx context.Context, w *world.World, is aWord, had []held) {
	t.Helper()
	b := w.EndowmentsOf(is.client)
	for _, h := range had {
		b.Use(h.facet).Lost(ctx, h.client)
		if !ends(ctx, h.client) {
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

// notFound looks up a name that was revoked. A second link may have been on its way before that; it has to end, too,
// and then nothing is found.
func notFound(ctx context.Context, w *world.World, b *vat.Endowments, name string) (err error) {
	winding(w, func() {
		err = b.Use("ServiceManager").Call(ctx, func(capnp.Client) error {
			for {
				client, err := alive(ctx, b.Use(lookup.Facet(name)), func() (capnp.Client, error) {
					return lookup.Find(ctx, b, name)
				})
				if err != nil {
					return err
				}
				ended := ends(ctx, client)
				client.Release()
				if !ended {
					return nil
				}
			}
		})
	})
	if refusal.Of(err) != refusal.UnknownName {
		return fmt.Errorf("it is looked up again: got %v, want unknown-name", err)
	}
	return nil
}

// checkPart checks a refusal against the graph: only a word that is neither a facet nor a name may be refused.
func checkPart(t *testing.T, edges []world.Edge, is aWord, refused error) {
	t.Helper()
	if !partOfAnother(edges, is) || !strings.Contains(refused.Error(), "is only a part of what") {
		t.Errorf("%v: %v", is, refused)
	}
}

// checkOther checks entries of initd, of roles, and of open files.
func checkOther(t *testing.T, o *world.Operator, is aWord) {
	t.Helper()
	err := o.Revoke(is.client, is.word)
	if is.word == "Operator" && is.client != "operator" {
		if err != nil || slices.Contains(words(o.Graph()), is) {
			t.Errorf("revoke of the role: %v", err)
		}
		if err := o.Grant(is.client, is.word); err != nil || !slices.Contains(words(o.Graph()), is) {
			t.Errorf("grant of the role: %v", err)
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

// TestWhatExecdLosesItsBundlesLose revokes from execd each word through which bundles hold something, while those
// bundles keep calling.
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
					t.Errorf("%s lost something that was not revoked:\n%s", name, w.Console())
				}
			}
		})
	}
}

package execd

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/powers"
	"nexus/libupdates/refusal"
	"nexus/libupdates/tree"
)

// packed is a tree with one page.
func packed(t *testing.T, text string) []byte {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var b bytes.Buffer
	if err := errors.Join(root.WriteFile("page", []byte(text), 0o600), tree.Pack(&b, root)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// reader is a bundle that reads the data of another, which is as signed.
func reader(signed []byte) spec {
	s := spec{name: "web", powers: []string{"data:site"}}
	s.takeData(map[string]spec{"site": {name: "site", digest: nxs.Sum(signed), size: int64(len(signed))}, "other": {}})
	return s
}

// shelf returns trees, and their folder.
func shelf(t *testing.T, served []byte) (*trees, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return &trees{
		payloads: newPayloads(provided(t, served), plat.RealClock{}, nil),
		log:      logclient.New("test", vat.NewHolding("LogSink")),
		root:     root, using: make(chan struct{}, 1), ready: map[string]bool{},
	}, dir
}

func entriesOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A bundle gets the trees that it asks for as they were signed, at paths that its environment and its arguments tell;
// of one that is something else nothing is left.
func TestOpenData(t *testing.T) {
	site, noTree := packed(t, "hello"), bytes.Repeat([]byte("x"), 2048)
	for name, c := range map[string]struct {
		served, signed []byte
		want           refusal.Reason
	}{
		"as signed":  {site, site, ""},
		"other data": {packed(t, "jello"), site, refusal.DigestMismatch},
		"no tree":    {noTree, noTree, refusal.BadTree},
	} {
		s, dir := shelf(t, c.served)
		web := reader(c.signed)
		paths, err := s.open(t.Context(), web, "/seen")
		if refusal.Of(err) != c.want {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if c.want != "" {
			if left := entriesOf(t, dir); len(left) > 0 {
				t.Errorf("%s: %q is left", name, left)
			}
			continue
		}
		at := "/seen/" + nxs.Sum(site).String()
		given := endowment{data: paths}
		args := given.fill(web, []string{"${NEXUS_DATA_SITE}/page", "${NEXUS_STATE}", "$NEXUS_DATA_SITE", "${NEXUS_BUNDLE}"})
		want := []string{at + "/page", "${NEXUS_STATE}", "$NEXUS_DATA_SITE", "web"}
		if !slices.Equal(args, want) || !slices.Contains(environment(web, given), "NEXUS_DATA_SITE="+at) {
			t.Errorf("%s: arguments %q, environment %q", name, args, environment(web, given))
		}
		page, err := os.ReadFile(filepath.Join(dir, filepath.Base(at), "page"))
		if string(page) != "hello" {
			t.Errorf("%s: the page is %q, %v", name, page, err)
		}
	}
}

func TestNoSuchData(t *testing.T) {
	s, _ := shelf(t, nil)
	web := reader(nil)
	web.powers = []string{"data:site", "data:missing"}
	web.takeData(map[string]spec{"site": web.data["site"]})
	s.ready[treeName(web.data["site"])] = true
	_, err := s.open(t.Context(), web, "/seen")
	if refusal.Of(err) != refusal.NoSuchData || !strings.Contains(err.Error(), "web asks for data:missing") {
		t.Errorf("got %v", err)
	}
	if len(powers.Of(powers.Data, web.powers)) != 2 {
		t.Error("the bundle does not ask for two trees")
	}
}

// The trees of a publication and of the one before it are kept, so that a rollback finds its own; others are removed,
// and so is whatever was there when execd started.
func TestTreesAreKeptForARollback(t *testing.T) {
	one, two, three := packed(t, "one"), packed(t, "two"), packed(t, "three")
	s, dir := shelf(t, one)
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "stray"), nil, 0o600), s.keep(nil)); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{nxs.Sum(one).String(): "one", nxs.Sum(two).String(): "two",
		nxs.Sum(three).String(): "three"}
	for _, step := range []struct {
		site []byte
		want []string
	}{
		{one, []string{"one"}}, {two, []string{"one", "two"}}, {one, []string{"one", "two"}},
		{three, []string{"one", "three"}}, {three, []string{"three"}}, {nil, []string{"three"}}, {nil, nil},
	} {
		s.payloads.bundles = provided(t, step.site)
		var p publication
		if step.site != nil {
			p.bundles = []spec{reader(step.site)}
			p.bundles[0].abilities = []string{nxb.AbilityService}
		}
		s.tidy(t.Context(), p)
		s.prepare(t.Context(), p)
		var got []string
		for _, name := range entriesOf(t, dir) {
			got = append(got, names[name])
		}
		slices.Sort(got)
		if !slices.Equal(got, step.want) {
			t.Errorf("got %q, want %q", got, step.want)
		}
	}
}

// A program may read its trees, and that is all.
func TestTreeIsReadOnly(t *testing.T) {
	program, err := plat.SealedMemory("program", bytes.NewReader(nil), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	c := confinement(reader(nil), program,
		endowment{data: map[string]string{"NEXUS_DATA_SITE": "/seen/site"}})
	if rule := (plat.PathRule{Path: "/seen/site", Access: plat.Read}); !slices.Contains(c.Paths, rule) {
		t.Errorf("got %v, want %v among them", c.Paths, rule)
	}
}

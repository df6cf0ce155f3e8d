package apps_test

import (
	"testing"

	"nexus/libupdates/apps"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// A scope is for the bundles that match each of its patterns, and for the sets of each of its publishers. Narrowing it
// only takes.
func TestScope(t *testing.T) {
	one, other := updatestest.Key(1).Public(), updatestest.Key(2).Public()
	type limit struct {
		pattern   string
		publisher []byte
	}
	for _, c := range []struct {
		name      string
		limits    []limit
		publisher trust.PublicKey
		bundles   []string
		granted   bool
	}{
		{"no limit", nil, one, []string{"web", "any"}, true},
		{"all", []limit{{"*", nil}}, one, []string{"web", "any"}, true},
		{"a name", []limit{{"web", nil}}, one, []string{"web"}, true},
		{"a longer name", []limit{{"web", nil}}, one, []string{"web.shop"}, false},
		{"the beginning of names", []limit{{"web.*", nil}}, one, []string{"web.shop", "web.blog"}, true},
		{"another beginning", []limit{{"web.*", nil}}, one, []string{"web"}, false},
		{"one of several", []limit{{"web.*", nil}}, one, []string{"web.shop", "any"}, false},
		{"narrowed", []limit{{"web.*", nil}, {"web.shop*", nil}}, one, []string{"web.shop.eu"}, true},
		{"widened", []limit{{"web.shop", nil}, {"*", nil}}, one, []string{"web.blog"}, false},
		{"nothing in common", []limit{{"web", nil}, {"mail", nil}}, one, []string{"mail"}, false},
		{"its publisher", []limit{{"*", one[:]}}, one, []string{"web"}, true},
		{"another publisher", []limit{{"*", one[:]}}, other, []string{"web"}, false},
		{"its publisher, another name", []limit{{"web", one[:]}}, one, []string{"any"}, false},
		{"two publishers", []limit{{"*", one[:]}, {"*", other[:]}}, other, []string{"web"}, false},
		{"a publisher and then none", []limit{{"*", one[:]}, {"*", nil}}, other, []string{"web"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var scope apps.Scope
			var err error
			for _, l := range c.limits {
				if scope, err = scope.Within(l.pattern, l.publisher); err != nil {
					t.Fatal(err)
				}
			}
			var entries []nxs.Entry
			for _, name := range c.bundles {
				entries = append(entries, nxs.Entry{Name: name})
			}
			err = scope.Has(c.publisher, entries)
			if c.granted && err != nil || !c.granted && refusal.Of(err) != refusal.NotGranted {
				t.Errorf("got %v, want it granted: %t", err, c.granted)
			}
		})
	}
}

// The scope of one holder does not change with what others make of it.
func TestScopesAreApart(t *testing.T) {
	var both apps.Scope
	for _, pattern := range []string{"*", "w*", "web*"} { // with room for one more where they grow by doubling
		var err error
		if both, err = both.Within(pattern, nil); err != nil {
			t.Fatal(err)
		}
	}
	shop, errShop := both.Within("web.shop", nil)
	blog, errBlog := both.Within("web.blog", nil)
	if errShop != nil || errBlog != nil {
		t.Fatal(errShop, errBlog)
	}
	if both.HasName("web.any") != nil || shop.HasName("web.shop") != nil || blog.HasName("web.blog") != nil ||
		shop.HasName("web.blog") == nil || blog.HasName("web.shop") == nil {
		t.Error("scopes that were made of one share what they are for")
	}
}

func TestParseScope(t *testing.T) {
	key := updatestest.Key(1).Public().String()
	for text, want := range map[string]refusal.Reason{
		"*": "", "web": "", "web.*": "", "web@" + key: "", "*@" + key: "",
		"": refusal.BadBundleName, "**": refusal.BadBundleName, "w*b": refusal.BadBundleName,
		"../web": refusal.BadBundleName, "Web": refusal.BadBundleName, "@" + key: refusal.BadBundleName,
		"web@": refusal.BadKey, "web@" + key[2:]: refusal.BadKey, "web@" + key + "@" + key: refusal.BadKey,
		"web@me": refusal.BadKey,
	} {
		if _, err := apps.ParseScope(text); refusal.Of(err) != want || want == "" && err != nil {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	for _, publisher := range [][]byte{make([]byte, 31), make([]byte, 33)} {
		if _, err := (apps.Scope{}).Within("*", publisher); refusal.Of(err) != refusal.BadKey {
			t.Errorf("a publisher of %d bytes: %v", len(publisher), err)
		}
	}
}

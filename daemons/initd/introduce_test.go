package initd

import (
	"io"
	"strings"
	"testing"

	"nexus/daemons/convert"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// TestIntroductionsAreBoundByTheTable lets samgrd say whatever it likes: without a grant in the table nothing is
// linked, and nothing is remembered.
func TestIntroductionsAreBoundByTheTable(t *testing.T) {
	s := newSystem(Config{SelftestSets: "sets"}, plat.Host{}, nil, io.Discard)
	for _, row := range s.table {
		s.children[row.Name] = &child{row: row, parent: &vat.Parent{}} // lives, and must not be granted anything
	}
	for _, c := range []struct{ client, name string }{
		{"updated", "BundleMgr"},   // may look nothing up
		{"logd", "Updated"},        // likewise
		{"execd", "Updated"},       // this name is not among its names
		{"selftest", "HealthGate"}, // nobody is bound to that
		{"selftest", "bundle/"},    // no bundle has this name
		{"selftest", "bundle/../sets"},
		{"bundle:hello", "BundleMgr"}, // it is execd that asks for bundles
		{"selftest", "bundle/*"},      // a pattern is no name
		{"nobody", "Updated"},         // not in the table
		{"bundle/hello", "BundleMgr"}, // a bundle is no daemon
		{"", ""},
	} {
		if direct, err := s.introduce(c.client, c.name); direct || err != nil {
			t.Errorf("introduce %q to %q: %v, %v, want no link", c.client, c.name, direct, err)
		}
	}
	for _, c := range []struct{ bundle, name string }{
		{"hello", "Updated"},    // not among the names that execd may look up
		{"hello", "HealthGate"}, // nobody is bound to that
		{"hello", "bundle/*"},
		{"", "BundleMgr"},
		{"../hello", "BundleMgr"},
		{"hello#1#2" + strings.Repeat("3", 64), "BundleMgr"},
		{"execd", ""},
	} {
		if direct, err := s.introduceBundle(c.bundle, c.name); direct ||
			refusal.Of(convert.Excepted(err)) != refusal.UnknownName {
			t.Errorf("introduce bundle %q to %q: %v, %v, want unknown-name", c.bundle, c.name, direct, err)
		}
	}
	if len(s.links) != 0 || len(s.introduced) != 0 {
		t.Errorf("left links %v, introductions %v", s.links, s.introduced)
	}
}

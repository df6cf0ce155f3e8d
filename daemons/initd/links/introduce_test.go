package links_test

import (
	"strings"
	"testing"

	"nexus/daemons/convert"
	"nexus/daemons/initd"
	"nexus/daemons/initd/links"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// TestIntroductionsAreBoundByTheTable lets samgrd say whatever it likes: without a grant in the table nothing is
// linked, and nothing is remembered.
func TestIntroductionsAreBoundByTheTable(t *testing.T) {
	l := links.New(links.Config{Table: rows(), Clock: plat.RealClock{}})
	for _, row := range rows() {
		l.Pretend(row.Name, &vat.Parent{}) // runs, and must not be granted anything
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
		if direct, err := l.Introduce(c.client, c.name); direct || err != nil {
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
		if direct, err := l.IntroduceBundle(c.bundle, c.name); direct ||
			refusal.Of(convert.Excepted(err)) != refusal.UnknownName {
			t.Errorf("introduce bundle %q to %q: %v, %v, want unknown-name", c.bundle, c.name, direct, err)
		}
	}
	if made, introduced := l.Count(); made != 0 || introduced != 0 {
		t.Errorf("left %d links, %d introductions", made, introduced)
	}
}

// TestAResumedLinkIsTheAnswer has a bundle ask for a link that was made again before it asked, as those do whose call
// has just failed. It keeps that one, on which it may be calling already, and gets another when it asks again.
func TestAResumedLinkIsTheAnswer(t *testing.T) {
	l := links.New(links.Config{Table: rows(), Clock: plat.RealClock{}})
	living(t, l, links.Runner)
	number := func() uint64 { return l.Number("bundle:web", "service:bundle/db") }
	ask := func() uint64 {
		t.Helper()
		if direct, err := l.IntroduceBundle("web", "bundle/db"); !direct || err != nil {
			t.Fatalf("introduce: %v, %v", direct, err)
		}
		return number()
	}
	first := ask()
	if err := l.Resume([]uint64{first}); err != nil {
		t.Fatal(err)
	}
	resumed := number()
	if kept, next := ask(), ask(); first == 0 || resumed == first || kept != resumed || next == kept {
		t.Errorf("links %d, %d (resumed), %d, %d", first, resumed, kept, next)
	}
	if err := l.Resume([]uint64{first}); err != nil || number() == 0 {
		t.Errorf("a link that was replaced is made again: %v", err)
	}
}

// rows are the links of the authority table.
func rows() []links.Row {
	var rows []links.Row
	for _, row := range initd.Table() {
		rows = append(rows, links.Row{Name: row.Name, Holds: row.Holds})
	}
	return rows
}

package lock_test

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nexus/schema/check/casetest"
	"nexus/schema/check/lock"
	"nexus/schema/check/surface"
)

// surfaces reads every compiled schema of the cases.
func surfaces(t *testing.T) map[string]*surface.Surface {
	t.Helper()
	all := map[string]*surface.Surface{}
	for dir, sides := range map[string][]string{"compat": {"old", "new"}, "lint": {"schema"}} {
		for _, c := range casetest.Load(t, filepath.Join("..", "testdata", dir)) {
			for _, side := range sides {
				all[c.Name+" "+side] = c.Surface(t, side, surface.Options{})
			}
		}
	}
	return all
}

// TestRoundTrip reads each lock back and writes it again.
func TestRoundTrip(t *testing.T) {
	for name, s := range surfaces(t) {
		text := lock.Format(s)
		again, err := lock.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		if got := lock.Format(again); string(got) != string(text) {
			t.Errorf("%s: read back it is\n%s\nwas\n%s", name, got, text)
		}
	}
}

// TestOrder holds a lock to the order of ids, whatever the order of the files was.
func TestOrder(t *testing.T) {
	for name, s := range surfaces(t) {
		want := lock.Format(s)
		slices.Reverse(s.Files)
		for _, f := range s.Files {
			slices.Reverse(f.Nodes)
		}
		if got := lock.Format(s); string(got) != string(want) {
			t.Errorf("%s: the order of the files shows in the lock", name)
		}
	}
}

// TestLines shows a lock as it is.
func TestLines(t *testing.T) {
	const text = `# The schema surface, one line per element, keyed by type id and number. Made by schema-check lock; do not edit.

0xbf5147cbbecf40c1 file "my shop.capnp" blessed
0xbf5147cbbecf40c1 annotated go.package#0xbea97f1023792be0 value="my shop"
0xc6725e678d60fa37 struct Order blessed parameters=T words=1 pointers=2
0xc6725e678d60fa37 union Order tag=32
0xc6725e678d60fa37 @0 field Order.name :Text pointer=0 default="a b\" c" arm=:0
0xc6725e678d60fa37 @1 field Order.sizes :List(List(Size#0xd1d61a6e9b3a6f3d)) pointer=1
0xc6725e678d60fa37 @2 field Order.thing :Box#0xa7d3fd1cdbc1aa3f(Text,T@0#0xc6725e678d60fa37) pointer=2
0xd1d61a6e9b3a6f3d enum Size lockstep
0xd1d61a6e9b3a6f3d @0 enumerant Size.none
0xe0b1c2c2f2ed4a6f interface Shop lockstep
0xe0b1c2c2f2ed4a6f extends :Base#0xa1b0a5c1e6d2f783
0xe0b1c2c2f2ed4a6f @0 method Shop.buy parameters=U
0xe0b1c2c2f2ed4a6f @0 @0 param Shop.buy.what :U@0 pointer=0
0xe0b1c2c2f2ed4a6f @0 result Shop.buy :Order#0xc6725e678d60fa37
`
	s, err := lock.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(lock.Format(s)); got != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
	f := s.Files[0]
	if f.Name != "my shop.capnp" || f.Class != surface.Blessed {
		t.Errorf("file is %q, %s", f.Name, f.Class)
	}
	size := surface.Type{Kind: "declared", ID: 0xd1d61a6e9b3a6f3d, Name: "Size"}
	inner := surface.Type{Kind: "List", Elements: &size}
	if got, want := f.Nodes[0].Fields[1].Type, (surface.Type{Kind: "List", Elements: &inner}); !reflect.DeepEqual(got,
		want) {
		t.Errorf("type is %+v, want %+v", got, want)
	}
}

// TestRefusesWhatIsNoLock gives lines that nobody wrote by formatting.
func TestRefusesWhatIsNoLock(t *testing.T) {
	const file = "0xbf5147cbbecf40c1 file a.capnp blessed\n"
	const enum = file + "0xd1d61a6e9b3a6f3d enum Size lockstep\n"
	const face = file + "0xd1d61a6e9b3a6f3d interface Shop lockstep\n"
	for _, test := range []struct{ text, want string }{
		{"hello\n", "line 1: it does not start with an id"},
		{"0x1 struct A blessed\n", "line 1: struct comes before the first file"},
		{"0x1 file\n", "line 1: it ends too early"},
		{file + "0x1 @0 field A.b :Text\n", "line 2: field belongs to no type above it"},
		{enum + "0x1 @0 enumerant Size.none\n", "line 3: enumerant belongs to no type above it"},
		{enum + "0xd1d61a6e9b3a6f3d @1 enumerant Size.none\n", "line 3: @1 does not follow @-1"},
		{enum + "0xd1d61a6e9b3a6f3d @0 enumerant Shape.none\n",
			"line 3: enumerant has no number, or another type's name"},
		{enum + "0xd1d61a6e9b3a6f3d enumerant Size.none\n", "line 3: enumerant has no number, or another type's name"},
		{enum + "0xd1d61a6e9b3a6f3d @x enumerant Size.none\n", "line 3: a number after the id is malformed"},
		{enum + "0xd1d61a6e9b3a6f3d @0 thing Size.none\n", `line 3: "thing" is not an element`},
		{face + "0xd1d61a6e9b3a6f3d @0 @0 param Shop.buy.a :Text\n", "line 3: param belongs to no method above it"},
		{file + "0x1 const a blessed :List(Text value=1\n", "line 2: a type has no end"},
		{file + "0x1 const a blessed :T@x value=1\n", `line 2: "T@x" is not a type parameter`},
		{file + "0x1 const a blessed :" + strings.Repeat("List(", 100) + "\n", "line 2: a type nests too deeply"},
		{file + "0x1 const a blessed value=\"x\n", "line 2: a quoted text has no end"},
		{file + "0x1 struct A blessed words=many\n", `line 2: "many" is not a number`},
		{file + "0x1 struct A blessed words\n", `line 2: "words" has no value`},
	} {
		_, err := lock.Parse([]byte(test.text))
		if want := "cannot read lock: " + test.want; err == nil || err.Error() != want {
			t.Errorf("%q\ngot  %v\nwant %s", test.text, err, want)
		}
	}
}

// FuzzParse wants no panic, and of what is read the same lock again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(
		"0xbf5147cbbecf40c1 file a.capnp blessed\n0xc6725e678d60fa37 struct A blessed words=1 pointers=0\n0xc6725e678d60fa37 @0 field A.b :UInt8 data=0 default=1 arm=u:1\n"))
	f.Add([]byte(
		"0x1 file a lockstep\n0x2 interface B lockstep\n0x2 @0 method B.c\n0x2 @0 @0 param B.c.d :E#0x3(F@0,List(Text)) pointer=0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := lock.Parse(text)
		if err != nil {
			return
		}
		once := lock.Format(s)
		again, err := lock.Parse(once)
		if err != nil {
			return // names that hold what separates words are read and never written by the compiler
		}
		if twice := lock.Format(again); string(twice) != string(once) {
			t.Errorf("read back it is\n%s\nwas\n%s", twice, once)
		}
	})
}

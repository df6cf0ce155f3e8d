package surface_test

import (
	"path/filepath"
	"testing"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/std/capnp/schema"

	"nexus/schema/check/casetest"
	"nexus/schema/check/surface"
)

// cases are compiled requests that the compiler made.
func cases(t *testing.T) []*casetest.Case {
	t.Helper()
	return casetest.Load(t, filepath.Join("..", "testdata", "compat"))
}

// TestDamagedRequests cuts requests short and turns bits over: what is read may be wrong, but reading ends without a
// panic.
func TestDamagedRequests(t *testing.T) {
	for _, c := range cases(t)[:8] {
		request := c.Request(t, "old")
		for cut := 0; cut < len(request); cut += 8 {
			if _, err := surface.Read(request[:cut], surface.Options{}); err == nil {
				t.Errorf("%s: read though cut at %d", c.Name, cut)
			}
		}
		for i := range request {
			damaged := append([]byte(nil), request...)
			damaged[i] ^= 0x41
			_, _ = surface.Read(damaged, surface.Options{}) // must only return
		}
	}
}

// TestRefusesIncompleteRequests gives requests that are well formed and say too little.
func TestRefusesIncompleteRequests(t *testing.T) {
	for _, test := range []struct {
		name  string
		build func(schema.CodeGeneratorRequest) error
		want  string
	}{
		{"no file", func(schema.CodeGeneratorRequest) error { return nil }, "cannot read request: it names no file"},
		{"file without node", func(r schema.CodeGeneratorRequest) error {
			files, err := r.NewRequestedFiles(1)
			if err == nil {
				files.At(0).SetId(0x8000000000000001)
			}
			return err
		}, "cannot read request: it refers to the node 0x8000000000000001 but does not contain it"},
		{"nested in itself", func(r schema.CodeGeneratorRequest) error {
			files, err := r.NewRequestedFiles(1)
			if err != nil {
				return err
			}
			files.At(0).SetId(1)
			nodes, err := r.NewNodes(1)
			if err != nil {
				return err
			}
			nodes.At(0).SetId(1)
			nodes.At(0).SetFile()
			nested, err := nodes.At(0).NewNestedNodes(1)
			if err == nil {
				nested.At(0).SetId(1)
			}
			return err
		}, "cannot read request: its declarations nest too deeply"},
	} {
		t.Run(test.name, func(t *testing.T) {
			msg, seg, err := capnp.NewMessage(capnp.SingleSegment(nil))
			if err != nil {
				t.Fatal(err)
			}
			r, err := schema.NewRootCodeGeneratorRequest(seg)
			if err != nil {
				t.Fatal(err)
			}
			if err := test.build(r); err != nil {
				t.Fatal(err)
			}
			request, err := msg.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := surface.Read(request, surface.Options{}); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// TestClasses reads the classes that comments state.
func TestClasses(t *testing.T) {
	for _, c := range cases(t) {
		if c.Name != "class_lowered" {
			continue
		}
		s := c.Surface(t, "new", surface.Options{Default: surface.Blessed})
		want := map[string]surface.Class{"shop.Cart": surface.Lockstep, "shop.Line": surface.Blessed,
			"till.Receipt": surface.Lockstep}
		for n := range s.All {
			if n.Class != want[n.Symbol()] {
				t.Errorf("%s is %s, want %s", n.Symbol(), n.Class, want[n.Symbol()])
			}
		}
	}
}

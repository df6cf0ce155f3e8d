package samgrd

import (
	"slices"
	"strings"
	"testing"
)

func TestGrantAllows(t *testing.T) {
	for _, c := range []struct {
		grant grant
		name  string
		want  bool
	}{
		{nil, "Updated", false},
		{nil, "", false},
		{grant{"Updated"}, "Updated", true},
		{grant{"Updated"}, "updated", false},
		{grant{"Updated"}, "Updated2", false},
		{grant{"Updated"}, "", false},
		{grant{"bundle/hello"}, "bundle/hello", true},
		{grant{"bundle/hello"}, "bundle/other", false},
		{grant{"bundle/*"}, "bundle/hello", true},
		{grant{"bundle/*"}, "Updated", false},
		{grant{"bundle/*"}, "bundle", false},
		{grant{"*"}, "Updated", false},
		{grant{"Up*"}, "Updated", false},
		{grant{"bundle/*", "!bundle/hello"}, "bundle/hello", false},
		{grant{"bundle/*", "!bundle/hello"}, "bundle/other", true},
		{grant{"!bundle/hello", "bundle/hello"}, "bundle/hello", false},
		{grant{"bundle/*", "!bundle/hello"}, "!bundle/hello", false},
		{grant{"bundle/*"}, "bundle/" + strings.Repeat("x", 64), true},
		{grant{"bundle/*"}, "bundle/" + strings.Repeat("x", 65), false},
	} {
		if got := c.grant.allows(c.name); got != c.want {
			t.Errorf("%q allows %q: %t, want %t", c.grant, c.name, got, c.want)
		}
	}
}

func TestGrantNarrow(t *testing.T) {
	for _, c := range []struct {
		name   string
		grant  grant
		wanted []string
		want   []string
	}{
		{"to nothing", grant{"a", "b"}, nil, nil},
		{"to some", grant{"a", "b"}, []string{"b"}, []string{"b"}},
		{"never to more", grant{"a"}, []string{"a", "HealthGate"}, []string{"a"}},
		{"twice the same", grant{"a"}, []string{"a", "a"}, []string{"a"}},
		{"all bundles to one", grant{"bundle/*"}, []string{"bundle/x"}, []string{"bundle/x"}},
		{"all bundles to all", grant{"a", "bundle/*"}, []string{"bundle/*"}, []string{"bundle/*"}},
		{"one bundle stays one", grant{"a", "bundle/x"}, []string{"bundle/*"}, []string{"bundle/x"}},
		{"what is excepted stays so", grant{"bundle/*", "!bundle/x"}, []string{"bundle/*"},
			[]string{"!bundle/x", "bundle/*"}},
		{"what is excepted is not to be had", grant{"bundle/*", "!bundle/x"}, []string{"bundle/x"},
			[]string{"!bundle/x"}},
		{"to all but one", grant{"bundle/*"}, []string{"bundle/*", "!bundle/x"}, []string{"!bundle/x", "bundle/*"}},
		{"no bundles stay none", grant{"a"}, []string{"bundle/*"}, nil},
		{"to names that nobody can have", grant{"bundle/*"},
			[]string{"bundle/" + strings.Repeat("x", 1<<20), "!bundle/" + strings.Repeat("x", 1<<20)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.grant.narrow(c.wanted)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %.200q, want %q", got, c.want)
			}
			for _, name := range []string{"a", "b", "HealthGate", "bundle/x", "bundle/y"} {
				if got.allows(name) && !c.grant.allows(name) {
					t.Errorf("the narrowed grant allows %q, the grant itself does not", name)
				}
			}
		})
	}
}

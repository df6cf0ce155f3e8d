package samgrd

import (
	"slices"
	"testing"
)

func everything(string) bool { return true }

func TestTable(t *testing.T) {
	names := newTable[string]()

	first, _, replaced := names.put("Updated", "first life")
	if replaced {
		t.Error("put into an empty table replaced something")
	}
	second, old, replaced := names.put("Updated", "second life")
	if !replaced || old != "first life" {
		t.Errorf("second put: old %q, replaced %t, want the first instance", old, replaced)
	}
	if _, removed := names.remove("Updated", first); removed {
		t.Error("a registration that was replaced removed its successor")
	}
	if got, issued, found := names.get("Updated"); !found || got != "second life" || issued != second {
		t.Errorf("get: %q, ticket %d, %t, want the second instance with ticket %d", got, issued, found, second)
	}
	if got, removed := names.remove("Updated", second); !removed || got != "second life" {
		t.Errorf("remove: %q, %t, want the second instance", got, removed)
	}
	if _, removed := names.remove("Updated", second); removed {
		t.Error("the same registration was removed twice")
	}
	if _, _, found := names.get("Updated"); found {
		t.Error("a removed name is still found")
	}
	if third, _, _ := names.put("Updated", "third life"); third == first || third == second {
		t.Errorf("ticket %d was issued twice", third)
	}
}

func TestTableNames(t *testing.T) {
	names := newTable[int]()
	for i, name := range []string{"b", "bundle/z", "a", "bundle/a"} {
		names.put(name, i)
	}
	if got, want := names.names(everything), []string{"a", "b", "bundle/a", "bundle/z"}; !slices.Equal(got, want) {
		t.Errorf("all names: %q, want %q", got, want)
	}
	if got, want := names.names(grant{"b", allBundles, "absent"}.allows),
		[]string{"b", "bundle/a", "bundle/z"}; !slices.Equal(got, want) {
		t.Errorf("granted names: %q, want %q", got, want)
	}
	if got := names.names(grant(nil).allows); len(got) != 0 {
		t.Errorf("names without a grant: %q, want none", got)
	}
}

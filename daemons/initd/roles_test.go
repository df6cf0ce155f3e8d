package initd

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// methodsOfOperator are all that the schema has, by its lock.
func methodsOfOperator(t *testing.T) []string {
	t.Helper()
	lock, err := os.ReadFile("../../schema/API.lock")
	if err != nil {
		t.Fatal(err)
	}
	var methods []string
	for line := range strings.Lines(string(lock)) {
		if words := strings.Fields(line); len(words) == 4 && words[2] == "method" {
			if name, of := strings.CutPrefix(words[3], "Operator."); of && name != attenuateMethod {
				methods = append(methods, name)
			}
		}
	}
	return methods
}

// TestRolesGrow holds the roles against the schema: each has what the one before it has and more, the last is the
// whole. A method that is new is in no role before somebody puts it there.
func TestRolesGrow(t *testing.T) {
	all, before := methodsOfOperator(t), []string(nil)
	for _, role := range Roles() {
		for _, method := range role.Methods {
			if !slices.Contains(all, method) {
				t.Errorf("%s has %s, which is no method of Operator", role.Name, method)
			}
		}
		for _, method := range before {
			if !slices.Contains(role.Methods, method) {
				t.Errorf("%s lacks %s, which a smaller role has", role.Name, method)
			}
		}
		if len(role.Methods) <= len(before) {
			t.Errorf("%s has no more than a smaller role", role.Name)
		}
		before = role.Methods
	}
	for _, method := range all {
		if !slices.Contains(before, method) {
			t.Errorf("no role has %s", method)
		}
	}
}

// TestSmallRolesChangeLittle says once more, beside the roles, what those may do who are no operators.
func TestSmallRolesChangeLittle(t *testing.T) {
	for name, want := range map[string][]string{
		"status": {"status", "services", "daemons", "graph", "watchdog"},
		"stage":  {"status", "services", "daemons", "graph", "watchdog", "stage", "fetch"},
	} {
		if role, known := RoleOf(name); !known || !slices.Equal(role.Methods, want) {
			t.Errorf("%s has %v, want %v", name, role.Methods, want)
		}
	}
}

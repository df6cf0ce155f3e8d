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

// TestRolesGrow holds the roles against the schema: the first may only look, each has what that one has and more, the
// last is the whole. A method that is new is in no role before somebody puts it there.
func TestRolesGrow(t *testing.T) {
	all, roles := methodsOfOperator(t), Roles()
	look, whole := roles[0].Methods, roles[len(roles)-1].Methods
	for i, role := range roles {
		for _, method := range role.Methods {
			if !slices.Contains(all, method) {
				t.Errorf("%s has %s, which is no method of Operator", role.Name, method)
			}
			if !slices.Contains(whole, method) {
				t.Errorf("%s has %s, which an operator lacks", role.Name, method)
			}
		}
		for _, method := range look {
			if !slices.Contains(role.Methods, method) {
				t.Errorf("%s lacks %s, which the smallest role has", role.Name, method)
			}
		}
		if i > 0 && len(role.Methods) <= len(look) {
			t.Errorf("%s has no more than the smallest role", role.Name)
		}
	}
	for _, method := range all {
		if !slices.Contains(whole, method) {
			t.Errorf("no role has %s", method)
		}
	}
}

// TestSmallRolesChangeLittle says once more, beside the roles, what those may do who are no operators.
func TestSmallRolesChangeLittle(t *testing.T) {
	for name, want := range map[string][]string{
		"status": {"status", "services", "daemons", "graph", "watchdog"},
		"stage":  {"status", "services", "daemons", "graph", "watchdog", "stage", "fetch"},
		"apps":   {"status", "services", "daemons", "graph", "watchdog", "apps", "fetchApps"},

		"apps:web.*": {"status", "services", "daemons", "graph", "watchdog", "apps", "fetchApps", "apps:web.*"},
	} {
		if role, known := RoleOf(name); !known || !slices.Equal(role.Methods, want) {
			t.Errorf("%s has %v, want %v", name, role.Methods, want)
		}
	}
}

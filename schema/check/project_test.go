package main_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nexus/daemons/initd"
	"nexus/schema/check/casetest"
	"nexus/schema/check/cli"
	"nexus/schema/check/lock"
	"nexus/schema/check/surface"
)

var update = flag.Bool("update", false,
	"write schema/HOLDERS, schema/API.lock and docs/api.md again; read the difference")

// top is the top of the tree, from here.
const top = "../.."

// TestHolders holds schema/HOLDERS, from which the API reference says who holds what, to the authority table itself.
func TestHolders(t *testing.T) {
	var b strings.Builder
	b.WriteString(
		"# Who holds what: the authority table and the roles of daemons/initd, as the API reference reads them. Made by\n" +
			"# go test ./schema/check -update; do not edit.\n")
	hold := func(holder string, edge initd.Edge) {
		grants := "-"
		if len(edge.Grants) > 0 {
			grants = strings.Join(edge.Grants, " ")
		}
		fmt.Fprintf(&b, "%-10s  %-15s  %-10s  %s\n", holder, edge.Facet, edge.From, grants)
	}
	for _, row := range initd.Table() {
		for _, edge := range row.Holds {
			hold(row.Name, edge)
		}
	}
	for _, role := range initd.Roles() {
		hold(role.Name, role.Edge())
	}
	path := filepath.Join(top, "schema", "HOLDERS")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	held, err := os.ReadFile(path)
	if err != nil || string(held) != b.String() {
		t.Errorf("schema/HOLDERS is not what daemons/initd says (%v): run go test ./schema/check -update", err)
	}
}

// TestResultsHaveOneCapability: the RPC library releases only the last of the capabilities of a result.
func TestResultsHaveOneCapability(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "schema", "API.lock"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := lock.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	interfaces, methods := map[uint64]bool{}, 0
	for n := range s.All {
		interfaces[n.ID] = n.Kind == surface.Interface
	}
	for n := range s.All {
		for _, m := range n.Methods {
			var capabilities []string
			for _, f := range m.Results.Fields {
				if interfaces[f.Type.ID] {
					capabilities = append(capabilities, f.Name)
				}
			}
			if methods++; len(capabilities) > 1 {
				t.Errorf("%s.%s returns %q: make one interface of them", n.Symbol(), m.Name, capabilities)
			}
		}
	}
	if methods < 100 {
		t.Errorf("%d methods were looked at", methods)
	}
}

// TestProject runs the gate over this project's own schemas, where the compiler is installed: they lint clean, and the
// lock and the reference are current.
func TestProject(t *testing.T) {
	if _, err := exec.LookPath("capnp"); err != nil {
		t.Skip("capnp is not installed: schema/API.lock and docs/api.md are not compared with the schemas")
	}
	t.Chdir(top)
	where := "--check"
	if *update {
		where = "--output"
	}
	for _, verb := range [][]string{
		{"lint", "--waivers", "schema/WAIVERS"},
		{"lock", where, "schema/API.lock"},
		{"api", "--holders", "schema/HOLDERS", "--command", "make api", where, "docs/api.md"},
	} {
		args := append(verb, "--no-standard-import", "-I", casetest.LibrarySchemas(t), "schema")
		var out, errs strings.Builder
		if status := cli.Run(args, strings.NewReader(""), &out, &errs); status != 0 {
			t.Errorf("schema-check %s: exit status %d\n%s%s", strings.Join(args, " "), status, out.String(),
				errs.String())
		}
	}
}

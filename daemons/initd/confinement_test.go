package initd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/daemons/plat"
)

// confined are the rows of the daemons that initd starts.
func confined() []Daemon {
	return slices.DeleteFunc(Table(), func(row Daemon) bool { return row.Name == initName || !row.Process() })
}

// Every daemon is confined; one starts others, and it alone has powers; one accepts connections, and one makes them.
func TestEveryRowIsConfined(t *testing.T) {
	for _, row := range confined() {
		c := row.Confinement
		calls, powers := plat.CallsDaemon, 0
		if row.Name == "execd" {
			calls, powers = plat.CallsSpawner, 4
		}
		switch row.Name {
		case remoteName:
			calls = plat.CallsDoor
		case fetchName:
			calls = plat.CallsClient
		}
		if connects := len(c.Connect) > 0; connects != (row.Name == fetchName) {
			t.Errorf("%s may connect: %t", row.Name, connects)
		}
		if c.Calls != calls || len(c.Powers) != powers || c.Memory == 0 || c.Files == 0 {
			t.Errorf("%s: %+v", row.Name, c)
		}
		if c.SmallPages != (row.Name != "execd") { // whose bundles have the machine's setting
			t.Errorf("%s has small pages: %t", row.Name, c.SmallPages)
		}
	}
}

// A daemon that does not work on payloads runs on one processor at a time. There is nothing else in any environment.
func TestWhoRunsInParallel(t *testing.T) {
	parallel := []string{"updated", fetchName, "execd"}
	for _, row := range confined() {
		want := []string{"GOMAXPROCS=1"}
		if slices.Contains(parallel, row.Name) {
			want = nil
		}
		if got := environment(row.Name); !slices.Equal(got, want) {
			t.Errorf("the environment of %s is %q, want %q", row.Name, got, want)
		}
	}
}

// Each has a user of its own but the selftest, which is no part of a product.
func TestUsersAreTheirOwn(t *testing.T) {
	users := map[uint32]string{}
	for _, row := range confined() {
		user := row.Confinement.User
		if row.Name == selftestName && user == 0 {
			continue
		}
		if other, taken := users[user]; taken || user < plat.FirstDaemonUser || user >= plat.FirstPayloadUser {
			t.Errorf("%s has user %d, and so has %q", row.Name, user, other)
		}
		users[user] = row.Name
	}
}

// A directory may be opened by path exactly where it is granted, and written only by the one whose it is.
func TestPathsAreThoseOfDirs(t *testing.T) {
	for _, row := range confined() {
		var dirs []string
		for _, rule := range row.Confinement.Paths {
			dir, named := strings.CutPrefix(rule.Path, dirPrefix)
			if !named {
				if row.Name != "execd" && (row.Name != fetchName || rule.Access != plat.Read) {
					t.Errorf("%s may open %v", row.Name, rule)
				}
				continue
			}
			if row.Name == "execd" && dir == systemDir { // it is not granted the folder, and executes files below it
				if rule.Access != plat.Read|plat.Execute {
					t.Errorf("%s: %v", row.Name, rule)
				}
				continue
			}
			dirs = append(dirs, dir)
			if want := row.Name == "updated" || row.Name == stateName ||
				dir == groupsDir || dir == rootsDir || dir == bundlesDir ||
				dir == treesDir; rule.Access&plat.Write != 0 != want {
				t.Errorf("%s: %v", row.Name, rule)
			}
		}
		if !slices.Equal(dirs, row.Dirs) {
			t.Errorf("%s is granted %v and may open %v", row.Name, row.Dirs, dirs)
		}
	}
}

// Only a daemon of the table can be confined as one, with directories that are there.
func TestConfinementWantsARow(t *testing.T) {
	if _, err := Confinement("getty", "/bin/nexus", nil); err == nil ||
		err.Error() != "cannot confine getty: it has no row" {
		t.Errorf("got %v", err)
	}
	dir := t.TempDir()
	c, err := Confinement("updated", "/bin/nexus", map[string]string{"system": dir})
	want := []plat.PathRule{{Path: "/bin/nexus", Access: plat.Read | plat.Execute},
		{Path: dir, Access: plat.Read | plat.Write}}
	if err != nil || !slices.Equal(c.Paths, want) {
		t.Errorf("got %v, %v", c.Paths, err)
	}
	if os.Geteuid() == 0 { // where they are given away
		if _, err := Confinement("updated", "/bin/nexus",
			map[string]string{"system": filepath.Join(dir, "missing")}); err == nil {
			t.Error("a directory that is not there was given away")
		}
	}
}

// TestSecurityTable holds the table in docs/security.md against the rows.
func TestSecurityTable(t *testing.T) {
	doc, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range confined() {
		if line := describeRow(row); !strings.Contains(string(doc), line+"\n") {
			t.Errorf("docs/security.md lacks\n%s", line)
		}
	}
}

// describeRow is a row as the document has it. What a machine has of loaders and libraries is not in it.
func describeRow(row Daemon) string {
	c := row.Confinement
	user, paths, powers := "its starter's", []string{}, "none"
	if c.User != 0 {
		user = fmt.Sprint(c.User)
	}
	for _, rule := range c.Paths {
		dir, named := strings.CutPrefix(rule.Path, dirPrefix)
		if named {
			paths = append(paths, dir+" ("+rule.Access.String()+")")
		}
	}
	if c.Calls == plat.CallsSpawner {
		paths = append(paths, "its own program (read exec)", "`/dev/null` (read write)",
			"loaders (read exec), libraries (read)")
		powers = "in place of root: " + powerNames(c.Powers)
	}
	if c.Calls == plat.CallsClient {
		paths = append(paths, "names and certificates (read)")
	}
	if len(paths) == 0 {
		paths = []string{"none"}
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s | %d MiB, %d |", row.Name, user, strings.Join(paths, ", "), c.Calls,
		powers, c.Memory>>20, c.Files)
}

func powerNames(list []plat.Power) string {
	var names []string
	for _, p := range list {
		names = append(names, "`"+p.String()+"`")
	}
	return strings.Join(names, " ")
}

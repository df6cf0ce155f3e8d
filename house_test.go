package nexus_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A rule forbids imports for a reason. A name stands for a package and everything below it; names of this module's
// packages are relative to the module.
type rule struct {
	who    string
	except []string
	never  []string
	reason string
}

func rules() []rule {
	return []rule{
		{
			who: "libupdates",
			never: []string{"capnproto.org/go/capnp/v3/rpc", "capnproto.org/go/capnp/v3/server",
				"github.com/hashicorp/go-hclog", "os/exec", "golang.org/x/sys", "nexus/daemons", "nexus/nx",
				"nexus/nxspack"},
			reason: "the domain is free of transport, logging and processes, so that it can be proven on any host",
		},
		{
			who:    "capnpgen",
			never:  []string{"nexus/libupdates", "nexus/daemons"},
			reason: "the schema depends on nothing",
		},
		{
			who:    "daemons/vat",
			never:  []string{"nexus/libupdates", "nexus/capnpgen/update", "nexus/capnpgen/bundle"},
			reason: "the plumbing knows no domain",
		},
		{
			who:    "daemons/plat",
			never:  []string{"nexus"},
			reason: "adapters of the operating system contain no decisions",
		},
		{
			who:    ".",
			except: []string{"daemons/plat"},
			never:  []string{"github.com/landlock-lsm/go-landlock"},
			reason: "confinement is applied in one place",
		},
		{
			who:    ".",
			except: []string{"daemons/plat"},
			never:  []string{"golang.org/x/sys"},
			reason: "only plat talks to the operating system",
		},
		{
			who:    "nxspack",
			never:  []string{"nexus/daemons", "capnproto.org/go/capnp/v3/rpc"},
			reason: "a packer must not need a running system",
		},
		{
			who:    "oci",
			never:  []string{"nexus/daemons", "nexus/nx", "nexus/nxspack", "capnproto.org/go/capnp/v3/rpc"},
			reason: "packers and daemons use registries by the same code",
		},
		{
			who:    "schema",
			never:  []string{"nexus/libupdates", "nexus/daemons", "nexus/nx", "nexus/nxspack", "nexus/capnpgen"},
			reason: "the schema checker works on any project's schemas and knows none",
		},
		{
			who:    "packaging",
			except: []string{"packaging/deb", "packaging/pages"},
			never:  []string{"nexus"},
			reason: "commands import this to describe themselves, so it must not import them",
		},
		{
			who:    "daemons/initd/supervise",
			never:  []string{"nexus/daemons/initd/links", "nexus/daemons/initd/machine"},
			reason: "supervision does not know the links between daemons; initd connects the two",
		},
		{
			who:    "daemons/initd/links",
			never:  []string{"nexus/daemons/initd/supervise", "nexus/daemons/initd/machine"},
			reason: "links do not depend on how daemons are supervised; initd connects the two",
		},
		{
			who:    "daemons/initd/machine",
			never:  []string{"nexus/daemons/initd/supervise", "nexus/daemons/initd/links"},
			reason: "the duties of a first process do not depend on what it runs",
		},
		{
			who:    ".",
			except: []string{"daemons/initd"},
			never:  []string{"nexus/daemons/initd/supervise", "nexus/daemons/initd/links"},
			reason: "these packages are internal to initd",
		},
	}
}

// cpuFeatures describes the CPU. It makes no system calls with effects, so libupdates/digest may use it.
const cpuFeatures = "golang.org/x/sys/cpu"

// TestImports checks the direct imports of each package against the rules. Tests are exempt.
func TestImports(t *testing.T) {
	for pkg, imports := range packages(t) {
		for _, imported := range imports {
			if reason := forbidden(pkg, imported); reason != "" {
				t.Errorf("%s imports %s: %s", pkg, imported, reason)
			}
		}
	}
}

// forbidden returns why a package may not import another one, or "".
func forbidden(pkg, imported string) string {
	for _, r := range rules() {
		if matches(r.who, pkg) && !anyMatches(r.except, pkg) && anyMatches(r.never, imported) &&
			imported != cpuFeatures {
			return r.reason
		}
	}
	ours, theirs := daemonOf("nexus/"+pkg), daemonOf(imported)
	switch {
	case theirs == "" || theirs == ours:
	case ours != "":
		return "daemons reach each other only through capabilities"
	case matches("nx", pkg):
		return "an operator reaches the system only through capabilities"
	}
	return ""
}

// daemonOf returns the daemon to which a package belongs, or "".
func daemonOf(path string) string {
	inside, _ := strings.CutPrefix(path, "nexus/daemons/")
	name, _, _ := strings.Cut(inside, "/")
	if inside == path || !isDaemon(name) {
		return ""
	}
	return name
}

// TestForbidden proves that the rules can fail, with imports that are forbidden and some that are allowed.
func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		pkg, imported string
		want          bool
	}{
		{"daemons/initd", "nexus/daemons/initd/links", false},
		{"daemons/initd", "nexus/daemons/initd/supervise", false},
		{"daemons/initd", "nexus/daemons/initd/machine", false},
		{"daemons/initd/links", "nexus/daemons/initd/supervise", true},
		{"daemons/initd/supervise", "nexus/daemons/initd/links", true},
		{"daemons/initd/links", "nexus/daemons/initd/machine", true},
		{"daemons/initd/supervise", "nexus/daemons/initd/machine", true},
		{"daemons/initd/machine", "nexus/daemons/initd/links", true},
		{"daemons/initd/machine", "nexus/daemons/initd/supervise", true},
		{"daemons/world", "nexus/daemons/initd/links", true},
		{"daemons/world", "nexus/daemons/initd", false},
		{"selftest/image", "nexus/daemons/initd/machine", false}, // the layout of a guest
		{"nx/cli", "nexus/daemons/initd/machine", true},
		{"daemons/updated", "nexus/daemons/initd/machine", true},
		{"daemons/initd/links", "nexus/daemons/updated", true},
		{"daemons/initd/links", "nexus/daemons/updated/anything", true},
		{"daemons/initd/links", "nexus/daemons/vat/guard", false},
		{"daemons/fetchd", "nexus/daemons/updated", true},
		{"daemons/updated", "nexus/daemons/fetchd", true},
		{"daemons/selftest", "nexus/daemons/updated", true},
		{"daemons/fetchd", "nexus/daemons/updateclient", false},
		{"daemons/world", "nexus/daemons/fetchd", false},
		{"nx/cli", "nexus/daemons/fetchd", true},
		{"nx/cli", "nexus/daemons/updateclient", false},
		{"libupdates/slots", "os/exec", true},
	} {
		if got := forbidden(c.pkg, c.imported) != ""; got != c.want {
			t.Errorf("%s imports %s: forbidden is %t", c.pkg, c.imported, got)
		}
	}
}

// A caller may use functions of package syscall besides plat. The package's constants, errors and types are plain
// values, which all packages may use.
type caller struct {
	pkg    string
	calls  []string
	reason string
}

func callers() []caller {
	return []caller{
		{"daemons/vat", []string{"CloseOnExec", "Dup"},
			"descriptors that travel beside messages are copied where they arrive"},
		{
			"daemons/vat", []string{"CmsgSpace", "ParseSocketControlMessage", "ParseUnixRights", "UnixRights"},
			"control messages are parsed where the messages are",
		},
		{"daemons/world", []string{"CloseOnExec", "Dup"}, "it stands in for plat"},
		{
			"daemons/world", []string{"CmsgSpace", "ParseSocketControlMessage", "ParseUnixRights", "UnixRights"},
			"its taps sit between two ends of a socket",
		},
		{"libupdates/durable", []string{"Fallocate", "Fstatfs", "Statfs", "Statfs_t", "Syscall"},
			"os has neither reserved space nor direct writes"},
		{"libupdates/updatestest", []string{"Mkfifo"}, "it damages folders for tests"},
		{"nx/cli", []string{"Exec"}, "nx up becomes the first process"},
		{"selftest", []string{"Exec", "Kill", "RawSyscall", "RawSyscall6", "Sync"},
			"the harness watches, kills and measures from outside"},
	}
}

// TestCalls checks the use of functions of package syscall against the callers.
func TestCalls(t *testing.T) {
	for _, file := range goFiles(t) {
		for _, call := range syscallsIn(t, file) {
			pkg := filepath.Dir(file)
			if !isValue(call) && !matches("daemons/plat", pkg) && !mayCall(pkg, call) {
				t.Errorf("%s calls syscall.%s: only plat talks to the operating system", file, call)
			}
		}
	}
}

func mayCall(pkg, call string) bool {
	return slices.ContainsFunc(callers(), func(c caller) bool {
		return matches(c.pkg, pkg) &&
			slices.Contains(c.calls, call)
	})
}

// isValue reports whether a name in package syscall is a constant, an error or a type.
func isValue(name string) bool {
	switch name {
	case "Credential", "Errno", "ForkLock", "RawConn", "Rusage", "Signal", "Stat_t", "SysProcAttr":
		return true
	}
	return name == strings.ToUpper(name)
}

// syscallsIn returns the names that a file uses from package syscall, even if it imports the package under another
// name.
func syscallsIn(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	local := ""
	for _, imported := range f.Imports {
		if imported.Path.Value != `"syscall"` {
			continue
		}
		if local = "syscall"; imported.Name != nil {
			local = imported.Name.Name
		}
	}
	var names []string
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && local != "" {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == local {
				names = append(names, s.Sel.Name)
			}
		}
		return true
	})
	return names
}

// TestPatterns tests the patterns of the rules.
func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, pkg string
		want         bool
	}{
		{".", "daemons/vat", true},
		{"daemons/vat", "daemons/vat", true},
		{"daemons/vat", "daemons/vat/guard", true},
		{"daemons/vat", "daemons/vats", false},
		{"daemons/vat", "daemons", false},
		{"golang.org/x/sys", "golang.org/x/sys/unix", true},
		{"golang.org/x/sys", "golang.org/x/system", false},
	} {
		if got := matches(c.pattern, c.pkg); got != c.want {
			t.Errorf("%q matches %q: got %t", c.pattern, c.pkg, got)
		}
	}
}

// TestDomainTree checks all dependencies of the domain, not only its direct imports.
func TestDomainTree(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./libupdates/...").Output()
	if err != nil {
		t.Fatalf("cannot list dependencies: %v", err)
	}
	for _, dep := range strings.Fields(string(out)) {
		for _, never := range []string{"capnproto.org/go/capnp/v3/rpc", "capnproto.org/go/capnp/v3/server", "os/exec"} {
			if dep == never {
				t.Errorf("libupdates depends on %s", dep)
			}
		}
	}
}

// TestNoInitWork rejects init functions, because those of all packages would run in PID 1: but the one by which the
// stage runs before them.
func TestNoInitWork(t *testing.T) {
	for _, file := range goFiles(t) {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(src), "\nfunc init()") && file != "daemons/nexus/early/early.go" {
			t.Errorf("%s has an init function", file)
		}
	}
}

// TestPackageDocs checks that each package has a package comment.
func TestPackageDocs(t *testing.T) {
	documented := map[string]bool{}
	for _, file := range goFiles(t) {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(file)
		documented[dir] = documented[dir] || f.Doc != nil
	}
	for dir, has := range documented {
		if !has {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// isDaemon reports whether a package below daemons is a daemon; the others are shared.
func isDaemon(name string) bool {
	_, err := os.Stat(filepath.Join("daemons", name, "run.go"))
	return err == nil || name == "initd"
}

// packages returns the direct imports of each package that is not generated, by its path within the module.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("cannot list packages: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		all[strings.TrimPrefix(fields[0], "nexus/")] = fields[1:]
	}
	return all
}

// goFiles returns the hand-written files that are not tests.
func goFiles(t *testing.T) []string {
	return slices.DeleteFunc(allGoFiles(t), func(path string) bool { return strings.HasSuffix(path, "_test.go") })
}

// allGoFiles returns the hand-written files.
func allGoFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "capnpgen" || entry.Name() == "testdata" || entry.Name() == "out" ||
			path != "." && strings.HasPrefix(entry.Name(), ".")):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go"):
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func anyMatches(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if matches(p, pkg) {
			return true
		}
	}
	return false
}

// matches reports whether a package is the pattern or below it. "." matches everything.
func matches(pattern, pkg string) bool {
	return pattern == "." || pkg == pattern || strings.HasPrefix(pkg, pattern+"/")
}

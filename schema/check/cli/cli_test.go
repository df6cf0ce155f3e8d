package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nexus/schema/check/casetest"
	"nexus/schema/check/cli"
)

// run runs schema-check and returns its exit status and what it said.
func run(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var stdout, stderr strings.Builder
	status = cli.Run(args, strings.NewReader(""), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

// requests writes the compiled requests of a case of compat into a folder.
func requests(t *testing.T, name string) (old, new string) {
	t.Helper()
	dir := t.TempDir()
	for _, c := range casetest.Load(t, filepath.Join("..", "testdata", "compat")) {
		if c.Name != name {
			continue
		}
		for _, side := range []string{"old", "new"} {
			if err := os.WriteFile(filepath.Join(dir, side), c.Request(t, side), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return filepath.Join(dir, "old"), filepath.Join(dir, "new")
	}
	t.Fatalf("no case %s", name)
	return "", ""
}

// TestExitStatus holds the verbs to their exit statuses, without the compiler.
func TestExitStatus(t *testing.T) {
	old, new := requests(t, "field_removed")
	dir := t.TempDir()
	locked, stale := filepath.Join(dir, "API.lock"), filepath.Join(dir, "stale.lock")
	waivers := filepath.Join(dir, "WAIVERS")
	write(t, waivers, "field-removed shop.Order.b: nobody has one\n")
	if status, _, errs := run(t, "lock", "--request", old, "-o", locked); status != 0 {
		t.Fatal(errs)
	}
	text, err := os.ReadFile(locked)
	if err != nil {
		t.Fatal(err)
	}
	write(t, stale, strings.Replace(string(text), ":Data", ":Text", 1))
	blessed := []string{"compat", "--request", new, "--default-class", "blessed"}
	for _, test := range []struct {
		name   string
		args   []string
		status int
		out    string // what stdout ends with
		err    string
	}{
		{"lock current", []string{"lock", "--request", old, "--check", locked}, 0, "", ""},
		{"lock stale", []string{"lock", "--request", old, "--check", stale}, 1, "", "schema-check: cannot accept " +
			stale + ": it is stale from line 6; write it again with --output\n"},
		{"lock missing", []string{"lock", "--request", old, "--check", dir + "/none"}, 1, "",
			"schema-check: cannot accept " + dir + "/none: it does not exist; write it with --output\n"},
		{"lockstep may change", []string{"compat", "--request", new, "--lock", locked}, 0,
			"compat: 0 refused, 0 waived, 1 listed\n", ""},
		{"blessed may not", append(blessed, "--old-request", old), 1, "compat: 1 refused, 0 waived, 0 listed\n", ""},
		{"waived", append(blessed, "--old-request", old, "--waivers", waivers), 0,
			"compat: 0 refused, 1 waived, 0 listed\n", ""},
		{"nothing changed", append(blessed, "--old-request", new), 0, "compat: 0 refused, 0 waived, 0 listed\n", ""},
		{"lint", []string{"lint", "--request", old}, 1, " listed\n", ""},
		{"no lock", append(blessed, "--lock", dir+"/none"), 1, "", "schema-check: cannot read lock: open " + dir +
			"/none: no such file or directory\n"},
		{"no request", []string{"lint", "--request", waivers}, 1, "", ""},
		{"no verb", nil, 2, "", ""},
		{"no schemas", []string{"lint"}, 2, "", ""},
		{"two sources", []string{"lint", "--request", old, "shop.capnp"}, 2, "", ""},
		{"two old ones", append(blessed, "--lock", locked, "--base", "main"), 2, "", ""},
		{"unknown format", []string{"lint", "--request", old, "--format", "xml"}, 2, "", ""},
		{"help", []string{"--help"}, 0, "", ""},
		{"help of a verb", []string{"compat", "--help"}, 0, "", ""},
		{"rules", []string{"rules"}, 0, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, out, errs := run(t, test.args...)
			if status != test.status {
				t.Errorf("exit status %d, want %d\n%s%s", status, test.status, out, errs)
			}
			if !strings.HasSuffix(out, test.out) {
				t.Errorf("stdout ends with\n%s\nwant\n%s", out, test.out)
			}
			if test.err != "" && errs != test.err {
				t.Errorf("stderr is\n%s\nwant\n%s", errs, test.err)
			}
			if test.status == 2 && !strings.Contains(errs, "hint: `schema-check --help`") {
				t.Errorf("no hint in\n%s", errs)
			}
		})
	}
}

// TestAPI makes a reference with holders.
func TestAPI(t *testing.T) {
	_, new := requests(t, "method_parameters")
	dir := t.TempDir()
	holders := filepath.Join(dir, "HOLDERS")
	write(t, holders, "HOLDER HOLDS FROM FOR\nclerk Shop owner till\nguest Names owner Shop\n")
	status, out, errs := run(t, "api", "--request", new, "--holders", holders)
	if status != 0 {
		t.Fatal(errs)
	}
	for _, want := range []string{
		"### interface Shop\n",
		"Held by clerk (for `till`). Named in the grant of guest's Names.\n",
		"buy @0 (title :Text, count :UInt64, urgent :Bool) -> (price :UInt32, taxes :UInt32);\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestDocumentedRules holds docs/schema-check.md to the rules as they are.
func TestDocumentedRules(t *testing.T) {
	_, rules, _ := run(t, "rules")
	doc, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "schema-check.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), rules) {
		t.Error("docs/schema-check.md does not hold what schema-check rules prints")
	}
}

// TestRevisions compares a working tree with revisions, of which the first keeps no lock.
func TestRevisions(t *testing.T) {
	casetest.NeedCompiler(t)
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: comparing with revisions is not tested")
	}
	t.Chdir(t.TempDir())
	git(t, "init", "-q", "-b", "main")
	const schema = "@0xbf5147cbbecf40c1;\n# A shop. Class: blessed.\n\nusing Till = import \"/till.capnp\";\nstruct Order { a @0 :Text; till @1 :Till.Till; }\n"
	write(t, "shop/order.capnp", schema)
	write(t, "lib/till.capnp", "@0xa1b0a5c1e6d2f783;\nstruct Till { x @0 :Data = embed \"x.bin\"; }\n")
	write(t, "lib/x.bin", "x")
	commit(t)
	write(t, "shop/order.capnp", strings.Replace(schema, ":Text", ":Data", 1))
	const retyped = "refused  order.Order.a: field-retyped: @0 was Text, is Data\ncompat: 1 refused, 0 waived, 0 listed\n"
	if status, out, errs := run(t, "compat", "-I", "lib", "shop"); status != 1 || out != retyped {
		t.Errorf("without a lock: exit status %d\n%s%s", status, out, errs)
	}
	// The old schemas are compiled with what they imported then.
	write(t, "lib/till.capnp", "@0xd9b2f7f1a40c3e55;\nstruct Till {}\n")
	if _, out, errs := run(t, "compat", "-I", "lib", "shop"); !strings.Contains(out,
		"refused  order.Order.till: field-retyped: ") {
		t.Errorf("with another import\n%s%s", out, errs)
	}
	git(t, "checkout", "-q", "lib")
	if status, _, errs := run(t, "lock", "-I", "lib", "shop", "-o", "shop/API.lock"); status != 0 {
		t.Fatal(errs)
	}
	commit(t)
	for base, want := range map[string]string{"HEAD": "compat: 0 refused, 0 waived, 0 listed\n", "HEAD~1": retyped} {
		if _, out, errs := run(t, "compat", "--base", base, "-I", "lib", "shop"); out != want {
			t.Errorf("with %s\n%s%s\nwant\n%s", base, out, errs, want)
		}
	}
	for base, want := range map[string]string{
		"nowhere":  "schema-check: cannot find revision nowhere\n",
		"--output": "schema-check: cannot use revision --output: it starts with a dash\n",
	} {
		if status, _, errs := run(t, "compat", "--base="+base, "-I", "lib", "shop"); status != 1 || errs != want {
			t.Errorf("with %s: exit status %d, %s", base, status, errs)
		}
	}
}

func commit(t *testing.T) {
	t.Helper()
	git(t, "add", "-A")
	git(t, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "step")
}

func git(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

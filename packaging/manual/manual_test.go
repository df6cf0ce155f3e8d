package manual_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"nexus/nx/cli"
	"nexus/nxspack"
	"nexus/packaging/manual"
)

func definitions(t *testing.T) []*kong.Application {
	t.Helper()
	nx, err := cli.Definition()
	if err != nil {
		t.Fatal(err)
	}
	packers, err := nxspack.Definitions()
	if err != nil {
		t.Fatal(err)
	}
	return append(packers, nx)
}

func completion(t *testing.T, app *kong.Application, shell string) string {
	t.Helper()
	script, err := manual.Completion(app, shell)
	if err != nil {
		t.Fatal(err)
	}
	return script
}

// walk visits a command and all verbs below it.
func walk(node *kong.Node, path string, visit func(node *kong.Node, path string)) {
	visit(node, path)
	for _, child := range node.Children {
		walk(child, path+" "+child.Name, visit)
	}
}

// TestManNamesAll wants a section for every verb, and in it every flag and every argument with its help.
func TestManNamesAll(t *testing.T) {
	for _, app := range definitions(t) {
		page := strings.NewReplacer(`\-`, "-", `\(dq`, `"`, `\(aq`, "'", `\(ga`, "`", `\e`, `\`).Replace(manual.Man(app))
		sections := strings.Split(page, ".SS ")
		walk(app.Node, app.Name, func(node *kong.Node, path string) {
			section := sections[0]
			if node.Parent != nil {
				at := slices.IndexFunc(sections, func(s string) bool { return strings.HasPrefix(s, `"`+path+"\"\n") })
				if at < 0 {
					t.Errorf("no section for %q", path)
					return
				}
				section = sections[at]
			}
			for _, flag := range node.Flags {
				if !strings.Contains(section, "--"+flag.Name) || !strings.Contains(section, flag.Help) {
					t.Errorf("%s: no --%s with its help", path, flag.Name)
				}
			}
			for _, arg := range node.Positional {
				if !strings.Contains(section, arg.Summary()) || !strings.Contains(section, arg.Help) {
					t.Errorf("%s: no argument %s with its help", path, arg.Name)
				}
			}
		})
	}
}

// TestSameBytes makes everything twice, from definitions made anew.
func TestSameBytes(t *testing.T) {
	again := definitions(t)
	for i, app := range definitions(t) {
		if manual.Man(app) != manual.Man(again[i]) {
			t.Errorf("%s: the man page differs", app.Name)
		}
		for _, shell := range manual.Shells() {
			if completion(t, app, shell) != completion(t, again[i], shell) {
				t.Errorf("%s: the script for %s differs", app.Name, shell)
			}
		}
	}
}

// TestScriptsNameAll wants every verb and flag in every script.
func TestScriptsNameAll(t *testing.T) {
	flagOf := map[string]string{"bash": "--", "zsh": "--", "fish": " -l "}
	for _, app := range definitions(t) {
		for _, shell := range manual.Shells() {
			script := completion(t, app, shell)
			walk(app.Node, app.Name, func(node *kong.Node, path string) {
				if !strings.Contains(script, path) {
					t.Errorf("%s: no %q", shell, path)
				}
				for _, flag := range node.Flags {
					if !strings.Contains(script, flagOf[shell]+flag.Name) {
						t.Errorf("%s: no --%s", shell, flag.Name)
					}
				}
			})
		}
	}
}

func TestUnknownShell(t *testing.T) {
	if _, err := manual.Completion(definitions(t)[0], "tcsh"); err == nil {
		t.Error("want a refusal of tcsh")
	}
}

// A completion is what a command line that ends in TAB must offer, and what it must not.
type tab struct {
	line string // the last word is what TAB completes
	want []string
	not  []string
}

func tabs() []tab {
	return []tab{
		{"nx s", []string{"stage", "status", "switch", "services", "shutdown"}, []string{"update", "--json"}},
		{"nx up --tr", []string{"--trust", "--tries"}, []string{"--json", "--state"}},
		{"nx up --js", []string{"--json"}, nil},
		{"nx --dir up --st", nil, []string{"--state"}}, // up is the folder
		{"nx --dir x up --st", []string{"--state"}, nil},
		{"nx --dir=x up --st", []string{"--state"}, nil},
		{"nx up --floor ", []string{"signed", "always", "never"}, []string{"status"}},
		{"nx completion ", []string{"bash", "zsh", "fish"}, []string{"status"}},
		{"nx floor ", []string{"show"}, []string{"status"}},
		{"nxs-pack --me", []string{"--meta"}, nil}, // of pack, which may be left out
		{"nxs-pack ver", []string{"verify"}, []string{"--version"}},
		{"nxb-pack --si", []string{"--signature"}, nil},
	}
}

// bashDriver fills in what bash gives a completion function, split at = as bash does.
const bashDriver = `line=$1
COMP_WORDS=(${line//=/ = }); [[ $line == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_$2
printf '%s\n' "${COMPREPLY[@]}"`

func TestBash(t *testing.T) {
	tryTabs(t, "bash", func(script, line, name string) *exec.Cmd {
		return exec.Command("bash", "-c", "source "+script+"\n"+bashDriver, "bash", line, strings.ReplaceAll(name, "-", "_"))
	})
}

func TestFish(t *testing.T) {
	tryTabs(t, "fish", func(script, line, _ string) *exec.Cmd {
		return exec.Command("fish", "--no-config", "-c", "source "+script+"; complete -C '"+line+"'")
	})
}

// tryTabs asks the shell itself.
func tryTabs(t *testing.T, shell string, ask func(script, line, name string) *exec.Cmd) {
	if _, err := exec.LookPath(shell); err != nil {
		t.Skipf("no %s here", shell)
	}
	dir := t.TempDir()
	for _, app := range definitions(t) {
		if err := os.WriteFile(filepath.Join(dir, app.Name), []byte(completion(t, app, shell)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range tabs() {
		name, _, _ := strings.Cut(c.line, " ")
		cmd := ask(filepath.Join(dir, name), c.line, name)
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v\n%s", c.line, err, out)
			continue
		}
		var offered []string
		for line := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			offered = append(offered, word)
		}
		for _, word := range c.want {
			if !slices.Contains(offered, word) {
				t.Errorf("%q: %s is not offered: %q", c.line, word, offered)
			}
		}
		for _, word := range c.not {
			if slices.Contains(offered, word) {
				t.Errorf("%q: %s is offered: %q", c.line, word, offered)
			}
		}
	}
}

// TestZsh has zsh compile the scripts; what they offer can be asked only on a terminal.
func TestZsh(t *testing.T) {
	if _, err := exec.LookPath("zsh"); err != nil {
		t.Skip("no zsh here")
	}
	for _, app := range definitions(t) {
		cmd := exec.Command("zsh", "-fn")
		cmd.Stdin = strings.NewReader(completion(t, app, "zsh"))
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", app.Name, err, out)
		}
	}
}

// TestManIsClean has mandoc look for faults. A page without a date is meant so.
func TestManIsClean(t *testing.T) {
	if _, err := exec.LookPath("mandoc"); err != nil {
		t.Skip("no mandoc here")
	}
	for _, app := range definitions(t) {
		cmd := exec.Command("mandoc", "-T", "lint", "-W", "warning")
		cmd.Stdin = strings.NewReader(manual.Man(app))
		out, _ := cmd.CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if !strings.Contains(line, "missing date") {
				t.Errorf("%s: %s", app.Name, line)
			}
		}
	}
}

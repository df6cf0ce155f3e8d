package manual

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/alecthomas/kong"
)

//go:embed bash.tmpl
var bashTemplate string

//go:embed zsh.tmpl
var zshTemplate string

//go:embed fish.tmpl
var fishTemplate string

// Shells returns the supported shells.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Completion returns a script that completes a command's verbs, flags and flag values in a shell. The script runs no
// programs.
func Completion(app *kong.Application, shell string) (string, error) {
	source, known := map[string]string{"bash": bashTemplate, "zsh": zshTemplate, "fish": fishTemplate}[shell]
	if !known {
		return "", fmt.Errorf("cannot write completion: unknown shell %q", shell)
	}
	t, err := template.New(shell).Funcs(template.FuncMap{"quote": quoterOf(shell), "join": strings.Join}).Parse(source)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, scriptOf(app))
	return b.String(), err
}

// A script is the input of the templates.
type script struct {
	Name     string
	Function string // the name as an identifier
	Places   []scriptPlace
	Steps    []string        // "PATH VERB": leads from PATH to the place PATH VERB
	Values   []string        // "PATH FLAG": the next word is the flag's value
	Choices  []scriptChoices // the values of flags with a fixed set of values
}

type scriptPlace struct {
	Path  string
	Verbs []scriptItem // also the choices of the first argument
	Flags []scriptItem
}

type scriptItem struct {
	Name, Short, Help string
	Value             bool
	Choices           []string
}

type scriptChoices struct {
	At     string
	Values []string
}

func scriptOf(app *kong.Application) script {
	s := script{Name: app.Name, Function: strings.ReplaceAll(app.Name, "-", "_")}
	for _, p := range places(app) {
		at := scriptPlace{Path: p.path}
		for _, verb := range p.verbs {
			at.Verbs = append(at.Verbs, scriptItem{Name: verb.Name, Help: verb.Help})
			s.Steps = append(s.Steps, p.path+" "+verb.Name)
		}
		if len(p.node.Positional) > 0 {
			for _, choice := range choices(p.node.Positional[0]) {
				at.Verbs = append(at.Verbs, scriptItem{Name: choice, Help: p.node.Positional[0].Help})
			}
		}
		for _, flag := range p.flags {
			at.Flags = append(at.Flags, itemOf(flag))
			s.takes(p.path, flag)
		}
		s.Places = append(s.Places, at)
	}
	return s
}

func itemOf(f *kong.Flag) scriptItem {
	item := scriptItem{Name: f.Name, Help: f.Help, Value: takesValue(f), Choices: choices(f.Value)}
	if f.Short != 0 {
		item.Short = string(f.Short)
	}
	return item
}

// takes records how a flag uses the next word.
func (s *script) takes(path string, f *kong.Flag) {
	if !takesValue(f) {
		return
	}
	for _, spelling := range spellings(f) {
		s.Values = append(s.Values, path+" "+spelling)
		if values := choices(f.Value); values != nil {
			s.Choices = append(s.Choices, scriptChoices{path + " " + spelling, values})
		}
	}
}

// quoterOf returns a function that quotes, for a shell, a string or several strings as the alternatives of a case.
func quoterOf(shell string) func(any) string {
	one := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	between := "|"
	if shell == "fish" {
		one = func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'" }
		between = " "
	}
	return func(v any) string {
		switch v := v.(type) {
		case string:
			return one(v)
		case []string:
			var all []string
			for _, s := range slices.Compact(v) {
				all = append(all, one(s))
			}
			return strings.Join(all, between)
		}
		return ""
	}
}

package manual

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Man returns the man page of a command, for section 1. It has no date and no version, so it changes only with the
// command line.
func Man(app *kong.Application, seeAlso ...string) string {
	var b strings.Builder
	all := places(app)
	name, about := escape(app.Name), summary(app.Help)
	fmt.Fprintf(&b, ".TH %s 1 \"\" Nexus \"User Commands\"\n", strings.ToUpper(name))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", name, escape(about))
	b.WriteString(".SH SYNOPSIS\n")
	synopsis(&b, all[0])
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", text(app.Help))
	b.WriteString(".SH OPTIONS\n")
	options(&b, app.Node)
	if len(all) > 1 {
		b.WriteString(".SH COMMANDS\n")
	}
	for _, p := range all[1:] {
		fmt.Fprintf(&b, ".SS %s\n", quoted(p.path))
		synopsis(&b, p)
		fmt.Fprintf(&b, ".PP\n%s\n", text(p.help))
		options(&b, p.node)
	}
	if len(seeAlso) > 0 {
		fmt.Fprintf(&b, ".SH SEE ALSO\n%s\n", references(seeAlso))
	}
	return b.String()
}

// summary returns the first sentence of a help text in the form of a man page's NAME section: in lower case, without
// the full stop.
func summary(help string) string {
	first, _, _ := strings.Cut(help, ". ")
	first = strings.TrimSuffix(first, ".")
	return strings.ToLower(first[:min(1, len(first))]) + first[min(1, len(first)):]
}

// synopsis writes the usage of a place: its path, whether it has options, and its arguments.
func synopsis(b *strings.Builder, p place) {
	fmt.Fprintf(b, ".B %s\n[\\fIOPTION\\fR]...\\&\n", escape(p.path))
	if len(p.verbs) > 0 {
		b.WriteString("\\fICOMMAND\\fR\n")
	}
	for _, arg := range p.node.Positional {
		fmt.Fprintf(b, "%s\n", italic(arg.Summary()))
	}
}

// options writes the flags and arguments of a place.
func options(b *strings.Builder, node *kong.Node) {
	for _, arg := range node.Positional {
		fmt.Fprintf(b, ".TP\n%s\n%s\n", italic(arg.Summary()), text(arg.Help))
	}
	for _, flag := range shown(node.Flags) {
		fmt.Fprintf(b, ".TP\n%s\n%s\n", flagTerm(flag), text(flag.Help))
	}
}

func flagTerm(f *kong.Flag) string {
	var terms []string
	for _, spelling := range spellings(f) {
		terms = append(terms, `\fB`+escape(spelling)+`\fR`)
	}
	term := strings.Join(terms, ", ")
	if takesValue(f) {
		term += "=" + italic(f.FormatPlaceHolder())
	}
	return term
}

func references(pages []string) string {
	var all []string
	for _, page := range pages {
		all = append(all, `\fB`+escape(page)+`\fR(1)`)
	}
	return strings.Join(all, ", ")
}

func italic(s string) string { return `\fI` + escape(s) + `\fR` }

func quoted(s string) string { return `"` + escape(s) + `"` }

// text returns a paragraph. The prefix keeps a leading dot or apostrophe from being read as a request.
func text(s string) string { return `\&` + escape(s) }

// escape escapes the characters that are special in roff.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\e`, `-`, `\-`, `"`, `\(dq`, `'`, `\(aq`, "`", `\(ga`, "\n", " ").Replace(s)
}

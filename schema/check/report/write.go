package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// A Format is an output format of a report.
type Format string

// The formats.
const (
	Text     Format = "text"
	JSON     Format = "json"
	Markdown Format = "markdown"
)

// Write writes the report.
func (r *Report) Write(w io.Writer, format Format) error {
	switch format {
	case JSON:
		return r.writeJSON(w)
	case Markdown:
		return r.writeMarkdown(w)
	default:
		return r.writeText(w)
	}
}

// writeText writes one line per finding, `verdict symbol: rule: text`, and a last line with the totals.
func (r *Report) writeText(w io.Writer) error {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-7s  %s: %s: %s%s\n", f.Verdict, f.Symbol, f.Rule, f.Text, because(f.Reason))
	}
	fmt.Fprintf(&b, "%s: %s\n", r.Check, r.sums())
	_, err := io.WriteString(w, b.String())
	return err
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (waived: " + reason + ")"
}

func (r *Report) sums() string {
	return fmt.Sprintf("%d refused, %d waived, %d listed", r.Count(Refused), r.Count(Waived), r.Count(Listed))
}

func (r *Report) writeJSON(w io.Writer) error {
	findings := r.Findings
	if findings == nil {
		findings = []Finding{}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Check    string    `json:"check"`
		Refused  int       `json:"refused"`
		Waived   int       `json:"waived"`
		Listed   int       `json:"listed"`
		Findings []Finding `json:"findings"`
	}{r.Check, r.Count(Refused), r.Count(Waived), r.Count(Listed), findings})
}

// writeMarkdown writes a comment for a review: a table per verdict.
func (r *Report) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Schema %s: %s\n", r.Check, r.sums())
	for _, v := range []Verdict{Refused, Waived, Listed} {
		if r.Count(v) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n**%s**\n\n| symbol | rule | what |\n|---|---|---|\n", v)
		for _, f := range r.Findings {
			if f.Verdict == v {
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Symbol, f.Rule, Cell(f.Text+because(f.Reason)))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Cell escapes a text for a cell of a Markdown table.
func Cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(Prose(text))
}

// Prose escapes a text for Markdown: angle brackets outside `code` become text.
func Prose(text string) string {
	parts := strings.Split(text, "`")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = strings.ReplaceAll(parts[i], "<", "&lt;")
	}
	return strings.Join(parts, "`")
}

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"nexus/schema/check/report"
)

// format is the output format of findings.
type format struct {
	Format report.Format `enum:"text,json,markdown" default:"text" help:"Output format of findings: text, json or markdown."`
}

// tell writes the report. It returns an error if a finding is refused.
func (f format) tell(io *streams, r *report.Report) error {
	if err := r.Write(io.out, f.Format); err != nil {
		return err
	}
	if r.Count(report.Refused) > 0 {
		return errRefused
	}
	return nil
}

// waivers are the exceptions from the rules, with reasons.
type waivers struct {
	Waivers string `placeholder:"FILE" help:"Lines 'rule symbol: reason'; matching findings pass, and the report gives the reason."`
}

func (w waivers) read() (report.Waivers, error) {
	if w.Waivers == "" {
		return nil, nil
	}
	text, err := readFile("waivers", w.Waivers)
	if err != nil {
		return nil, err
	}
	return report.ParseWaivers(string(text))
}

// generated is the destination of a text that is generated from the schemas.
type generated struct {
	Output string `short:"o" xor:"where" placeholder:"FILE" help:"Write to this file instead of stdout."`
	Check  string `xor:"where" placeholder:"FILE" help:"Fail if this file differs from what would be written."`
}

func (g generated) put(io *streams, text []byte) error {
	switch {
	case g.Check != "":
		return g.compare(text)
	case g.Output != "":
		if err := os.WriteFile(g.Output, text, 0o644); err != nil {
			return fmt.Errorf("cannot write %s: %w", g.Output, err)
		}
		return nil
	}
	_, err := io.out.Write(text)
	return err
}

func (g generated) compare(text []byte) error {
	held, err := os.ReadFile(g.Check)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot accept %s: it does not exist; write it with --output", g.Check)
	case err != nil:
		return fmt.Errorf("cannot accept %s: %w", g.Check, err)
	case !bytes.Equal(held, text):
		return fmt.Errorf("cannot accept %s: it is stale from line %d; write it again with --output", g.Check,
			firstDifference(held, text))
	}
	return nil
}

func firstDifference(a, b []byte) int {
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return line
		}
		if a[i] == '\n' {
			line++
		}
	}
	return line
}

// readFile reads a file named on the command line. what describes it for errors.
func readFile(what, path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", what, err)
	}
	return text, nil
}

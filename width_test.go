package nexus_test

import (
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxColumns is the maximum width of a line of Go, with tabs of four columns. The contents of strings do not count,
// because breaking them would make them harder to find.
const maxColumns = 120

func TestLinesFitThePage(t *testing.T) {
	for _, path := range allGoFiles(t) {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, wide := range tooWide(source) {
			t.Errorf("%s:%s", path, wide)
		}
	}
}

func TestWidthRuleCanFail(t *testing.T) {
	word := strings.Repeat("x", maxColumns-len("    var  T"))
	for name, is := range map[string]struct {
		line string
		wide int
	}{
		"just fits":               {"\tvar " + word + " T", 0},
		"one too many":            {"\tvar x" + word + " T", 1},
		"a comment":               {"// " + word + " and more", 1},
		"a long string":           {"var s = \"" + word + word + "\"", 0},
		"a raw string over lines": {"var s = `\n" + word + word + "\n`", 0},
		"code around a string":    {"var " + word + "xxxx = \"s\"", 1},
		"a comment behind code":   {"var s = \"s\" // " + word, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tooWide([]byte("package p\n\n" + is.line + "\n")); len(got) != is.wide {
				t.Errorf("found %v, want %d", got, is.wide)
			}
		})
	}
}

// tooWide returns the lines that are too wide, ignoring the contents of strings, as line number and width.
func tooWide(source []byte) []string {
	var wide []string
	for i, line := range strings.Split(string(withoutStrings(source)), "\n") {
		if width := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")); width > maxColumns {
			wide = append(wide, fmt.Sprintf("%d: %d columns, at most %d", i+1, width, maxColumns))
		}
	}
	return wide
}

// withoutStrings empties the strings of a file and keeps its line numbers.
func withoutStrings(source []byte) []byte {
	files := token.NewFileSet()
	file := files.AddFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, scanner.ScanComments)
	var kept []byte
	end := 0
	for {
		pos, kind, literal := s.Scan()
		if kind == token.EOF {
			return append(kept, source[end:]...)
		}
		if kind == token.STRING {
			at := file.Offset(pos)
			kept = append(kept, source[end:at]...)
			kept = append(kept, strings.Repeat("\n", strings.Count(literal, "\n"))...)
			end = at + len(literal)
		}
	}
}

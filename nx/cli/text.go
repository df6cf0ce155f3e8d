package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
)

// clean makes one printable line of text from elsewhere: a service's output must not reach the terminal unescaped.
func clean(text string) string {
	return strings.Map(printable, strings.NewReplacer("\n", " ", "\t", " ").Replace(text))
}

// cleanLines is clean for a text that keeps its lines and tabs.
func cleanLines(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' {
			return c
		}
		return printable(c)
	}, text)
}

func printable(c rune) rune {
	if unicode.IsPrint(c) {
		return c
	}
	return '\uFFFD'
}

// short returns a digest as it is shown to people.
func short(digest string) string { return digest[:min(12, len(digest))] }

// count returns a number and the noun for it.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// table prints rows as aligned columns; a row's last cell is not padded.
func table(w io.Writer, rows [][]string) {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = clean(cell)
			if i < len(row)-1 {
				row[i] = clip(row[i])
			}
		}
		fmt.Fprintln(columns, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	columns.Flush()
}

// maxCell bounds a cell, which makes its whole column that wide.
const maxCell = 512

// clip shortens a text that is too long for its column.
func clip(cell string) string {
	if runes := []rune(cell); len(runes) > maxCell {
		return string(runes[:maxCell-1]) + "…"
	}
	return cell
}

// orDash keeps a column visible when its cell is empty.
func orDash(cell string) string {
	if cell == "" {
		return "-"
	}
	return cell
}

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"
)

// clean makes one printable line of text from elsewhere: a service's output must not reach the terminal unescaped.
func clean(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '\uFFFD'
	}, strings.ReplaceAll(text, "\n", " "))
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

// encode prints a value as one line of JSON. The output may be a terminal, so unprintable characters in text from
// elsewhere are escaped: JSON itself permits the control characters from U+007F on, and those that change the direction
// of writing.
func (t *terminal) encode(value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var line bytes.Buffer
	for _, c := range string(raw) {
		switch {
		case unicode.IsPrint(c):
			line.WriteRune(c)
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&line, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&line, `\u%04x`, c)
		}
	}
	line.WriteByte('\n')
	_, err = t.host.Stdout.Write(line.Bytes())
	return err
}

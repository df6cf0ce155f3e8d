package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
)

// encode prints a value as one line of JSON. The output may be a terminal, so unprintable characters in text from
// elsewhere are escaped: JSON itself permits the control characters from U+007F on, and those that change the direction
// of writing.
func (in *invocation) encode(value any) error {
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
	_, err = in.host.Stdout.Write(line.Bytes())
	return err
}

// Package printing prints the answers of commands, for people and for programs.
package printing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"unicode"
	"unicode/utf16"
)

// JSON prints a value as one line of JSON. The output may be a terminal, so unprintable characters in text from
// elsewhere are escaped: JSON itself permits the control characters from U+007F on, and those that change the direction
// of writing.
func JSON(to io.Writer, value any) error {
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
	_, err = to.Write(line.Bytes())
	return err
}

// An Output keeps the first error of a write, because not all who print look at errors.
type Output struct {
	To io.Writer

	mu  sync.Mutex
	err error
}

// Write writes, but nothing more after an error.
func (o *Output) Write(p []byte) (n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		n, o.err = o.To.Write(p)
		if path, named := errors.AsType[*fs.PathError](o.err); named {
			o.err = path.Err
		}
	}
	return n, o.err
}

// Err returns the first error, without the name of the file.
func (o *Output) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

package nxspack

import (
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"nexus/libupdates/refusal"
)

// maxToml bounds a metadata file, in bytes.
const maxToml = 1 << 20

// readText reads a metadata file, but at most maxToml+1 bytes.
func readText(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxToml+1))
}

// decodeToml parses the text of a metadata file into v. Unknown keys and missing required keys are refused as
// BadMetadata: a misspelt key could otherwise change a release silently.
func decodeToml(text []byte, v any, required ...string) error {
	if len(text) > maxToml {
		return refusal.New(refusal.BadMetadata, "file has more than %d bytes", maxToml)
	}
	meta, err := toml.Decode(string(text), v)
	if err != nil {
		return refusal.New(refusal.BadMetadata, "%s", tomlCause(err))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return refusal.New(refusal.BadMetadata, "unknown key %s", unknown[0])
	}
	for _, key := range required {
		if !meta.IsDefined(key) {
			return refusal.New(refusal.BadMetadata, "key %s is missing", key)
		}
	}
	return nil
}

// tomlCause returns the library's message as one line: the position, then the error.
func tomlCause(err error) string {
	if syntax, ok := errors.AsType[toml.ParseError](err); ok {
		return strings.TrimPrefix(syntax.Error(), "toml: ")
	}
	return strings.TrimPrefix(err.Error(), "toml: ")
}

// located adds to a refusal the place of a value in a list of the metadata file: its line and column. The key begins a
// line, as the decoder has accepted it. A value that is written with escapes is reported at its key.
func located(text []byte, key, value string, err error) error {
	at := 0
	if found := regexp.MustCompile(`(?m)^[ \t]*["']?` + key + `["']?[ \t]*=`).FindIndex(text); found != nil {
		at = found[1]
	}
	list, _, _ := bytes.Cut(text[at:], []byte("]"))
	for _, quoted := range []string{`"` + value + `"`, `'` + value + `'`} {
		last := bytes.LastIndex(list, []byte(quoted)) // of two that are equal the second is one too many
		if last >= 0 {
			at += last
			break
		}
	}
	before := text[:at]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[1+bytes.LastIndexByte(before, '\n'):])
	return refusal.New(refusal.Of(err), "line %d, column %d: %s: %v", line, column, key, err)
}

package nxspack

import (
	"errors"
	"io"
	"os"
	"strings"

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

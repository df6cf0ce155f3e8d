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

// readText reads a metadata file, and of one that is too long one byte too many.
func readText(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxToml+1))
}

// decodeToml reads the text of a metadata file into v. Keys that v does not know, and those of required that the text
// lacks, are refused as BadMetadata: a misspelt key would otherwise change a release without a word.
func decodeToml(text []byte, v any, required ...string) error {
	if len(text) > maxToml {
		return refusal.New(refusal.BadMetadata, "file of over %d bytes", maxToml)
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

// tomlCause is the library's message as one line: the place, then what is wrong there.
func tomlCause(err error) string {
	if syntax, ok := errors.AsType[toml.ParseError](err); ok {
		return strings.TrimPrefix(syntax.Error(), "toml: ")
	}
	return strings.TrimPrefix(err.Error(), "toml: ")
}

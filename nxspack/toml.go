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

// readToml reads a metadata file into v. Keys that v does not know, and those of required that the file lacks, are refused as
// BadMetadata: a misspelt key would otherwise change a release without a word.
func readToml(name string, v any, required ...string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToml+1))
	if err != nil {
		return err
	}
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

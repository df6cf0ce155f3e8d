package trust

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"nexus/libupdates/refusal"
)

// Who names a key says what bare hex in it is by one of these before the name, or by a file name that ends in .pub.
const (
	hexSeed      = "hex-seed:"
	hexPublic    = "hex-public:"
	publicSuffix = ".pub"
)

// maxKeyFile bounds a key file, in bytes.
const maxKeyFile = 16 << 10

// A claim is what bare hex is said to be.
type claim uint8

const (
	unclaimed claim = iota
	claimedSeed
	claimedPublic
)

// claimed takes apart what is said of a key, and where it is.
func claimed(source string) (claim, string) {
	if name, ok := strings.CutPrefix(source, hexSeed); ok {
		return claimedSeed, name
	}
	if name, ok := strings.CutPrefix(source, hexPublic); ok {
		return claimedPublic, name
	}
	if strings.HasSuffix(source, publicSuffix) {
		return claimedPublic, source
	}
	return unclaimed, source
}

// as takes bare hex for what it is said to be.
func (k keyText) as(c claim) keyText {
	switch {
	case k.bare == nil || c == unclaimed:
		return k
	case c == claimedSeed:
		return keyText{seed: (*seed)(k.bare)}
	default:
		return keyText{public: (*PublicKey)(k.bare)}
	}
}

// ReadPublicKey returns the public key that an argument names: the text of a key, or a file with one, as ParsePublicKey
// reads it. Bare hex is taken where it is said to be public: `hex-public:` before it or before the file's name, or a
// file name that ends in .pub. Refused as BadKey; what is no key is not in the error, for it could be a secret.
func ReadPublicKey(source string) (PublicKey, error) {
	claim, name := claimed(source)
	text, err := keyOrFile(name)
	if err != nil {
		return PublicKey{}, err
	}
	return parsePublic(text, claim)
}

// keyOrFile is the argument itself where it is a key, else what the file of that name holds.
func keyOrFile(argument string) ([]byte, error) {
	if isKey(argument) {
		return []byte(argument), nil
	}
	return readKeyFile(argument)
}

// isKey tells whether an argument is a key, or was to be one, and no file's name.
func isKey(argument string) bool {
	for _, begins := range []string{seedPrefix, publicPrefix, "-----BEGIN "} {
		if strings.HasPrefix(strings.TrimSpace(argument), begins) {
			return true
		}
	}
	_, err := parseText([]byte(argument))
	return err == nil
}

// Shown is how an argument that names a key stands in a message: as it is, unless it is a key itself, which could be a
// secret.
func Shown(source string) string {
	if _, name := claimed(source); isKey(name) {
		return "(given as text)"
	}
	return source
}

// readKeyFile reads a key file. The caller names it.
func readKeyFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, unnamed(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, unnamed(err)
	}
	if len(text) > maxKeyFile {
		return nil, refusal.New(refusal.BadKey, "key file is over %d bytes", maxKeyFile)
	}
	return text, nil
}

// unnamed is a file error without the name.
func unnamed(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return fmt.Errorf("cannot read key: %w", err)
}

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

// Bare hex may be a private or a public key. A prefix before the name of a key says which, as does a file name that
// ends in .pub.
const (
	hexSeed      = "hex-seed:"
	hexPublic    = "hex-public:"
	publicSuffix = ".pub"
)

// TokenPrefix denotes a key in a PKCS#11 token by its URI (RFC 7512), and pinValue a PIN in one.
const (
	TokenPrefix = "pkcs11:"
	pinValue    = "pin-value"
)

// CheckTokenURI refuses, as BadKey, a URI with a PIN: everybody on the machine can read a command line.
func CheckTokenURI(uri string) error {
	if strings.Contains(uri, pinValue) {
		return refusal.New(refusal.BadKey, "a PIN on the command line can be read by everybody on this machine: "+
			"leave it out to be asked for it, or name a file with pin-source=file:/PATH")
	}
	return nil
}

// maxKeyFile bounds a key file, in bytes.
const maxKeyFile = 16 << 10

// A claim is what the user says about bare hex.
type claim uint8

const (
	unclaimed claim = iota
	claimedSeed
	claimedPublic
)

// claimed splits a key argument into the claim and the name or text of the key.
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

// as interprets bare hex according to the claim.
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

// ReadPublicKey returns the public key that an argument denotes: the text of a key, or the name of a file with one, in
// a form that ParsePublicKey accepts. Bare hex is accepted if it is marked as public, by `hex-public:` before it or
// before the file's name, or by a file name that ends in .pub. Refused as BadKey. Errors never contain text that is not
// a public key, because it could be a secret.
func ReadPublicKey(source string) (PublicKey, error) {
	claim, name := claimed(source)
	text, err := keyOrFile(name)
	if err != nil {
		return PublicKey{}, err
	}
	return parsePublic(text, claim)
}

// AppsMark begins an argument for ReadTrusted with a key that is for the role apps.
const AppsMark = string(RoleApps) + "="

// ReadTrusted returns the public key that an argument denotes, as ReadPublicKey does, and the role that it is to be
// trusted for: apps behind AppsMark, else system.
func ReadTrusted(source string) (Role, PublicKey, error) {
	name, apps := strings.CutPrefix(source, AppsMark)
	key, err := ReadPublicKey(name)
	if apps {
		return RoleApps, key, err
	}
	return RoleSystem, key, err
}

// keyOrFile returns the argument itself if it is a key, or else the content of the file with that name.
func keyOrFile(argument string) ([]byte, error) {
	if isKey(argument) {
		return []byte(argument), nil
	}
	return readKeyFile(argument)
}

// isKey reports whether an argument is a key, or looks like a malformed one, rather than a file's name.
func isKey(argument string) bool {
	for _, begins := range []string{seedPrefix, publicPrefix, "-----BEGIN ", minisignComment} {
		if strings.HasPrefix(strings.TrimSpace(argument), begins) {
			return true
		}
	}
	_, err := parseText([]byte(argument))
	return err == nil
}

// Shown returns a key argument for messages: unchanged, unless it is the text of a key, which could be a secret, or has
// a PIN.
func Shown(source string) string {
	if _, name := claimed(strings.TrimPrefix(source, AppsMark)); isKey(name) {
		return "(given as text)"
	}
	if strings.HasPrefix(source, TokenPrefix) && strings.Contains(source, pinValue) {
		return TokenPrefix + "(with a PIN)"
	}
	return source
}

// readKeyFile reads a key file. Its errors do not contain the name; the caller adds it.
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
		return nil, refusal.New(refusal.BadKey, "key file has more than %d bytes", maxKeyFile)
	}
	return text, nil
}

// unnamed returns a file error without the file's name.
func unnamed(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return fmt.Errorf("cannot read key: %w", err)
}

package statefs

import (
	"strings"

	"nexus/libupdates/refusal"
)

// Bounds, in bytes unless they say otherwise. schema/statefs.capnp promises the first three.
const (
	MaxKey   = 128
	MaxValue = 128 << 10
	MaxPage  = 256 // entries of one List

	reserveSize = 2 * (MaxValue + 4096) // two values and what their names may need
)

// A Quota bounds a prefix.
type Quota struct {
	Bytes int64 // of keys and values together
	Keys  int
	// Reserved says that a put finds room also on a disk that others have filled, as long as the prefix keeps within
	// its bounds.
	Reserved bool
}

// Boot is the prefix of the boot record.
const Boot = "boot"

// Quotas returns the prefixes there are. The sum of the bounds is what a state folder may come to hold.
func Quotas() map[string]Quota {
	return map[string]Quota{
		Boot:       {Bytes: 512 << 10, Keys: 16, Reserved: true}, // the boot record
		"keystore": {Bytes: 512 << 10, Keys: 256},                // keys that were learned
		"apps":     {Bytes: 16 << 20, Keys: 4096},                // what bundles keep
		"crash":    {Bytes: 4 << 20, Keys: 1024},                 // reports of crashes
	}
}

const (
	root        = "."
	formatFile  = "statefs"
	formatKey   = "statefs"
	reserveFile = "statefs.reserve"
	valueSuffix = ".value"
	tempSuffix  = ".tmp"
	slash       = "+" // stands for a slash in the name of a file
	lostFound   = "lost+found"
)

// CheckKey refuses, as BadStateKey, what is no key: 1 to MaxKey bytes, parts of [a-z0-9._-] with a slash between them,
// each of which begins and ends with a letter or a digit.
func CheckKey(key string) error {
	ok := len(key) <= MaxKey
	for part := range strings.SplitSeq(key, "/") {
		ok = ok && part != "" && isInner(part) && isOuter(part[0]) && isOuter(part[len(part)-1])
	}
	if !ok {
		return refusal.New(refusal.BadStateKey, "%.140q is no key", key)
	}
	return nil
}

// checkStart refuses what no key can begin with or come after.
func checkStart(text string) error {
	if len(text) > MaxKey || !isInner(strings.ReplaceAll(text, "/", "")) {
		return refusal.New(refusal.BadStateKey, "no key begins with %.140q", text)
	}
	return nil
}

func isInner(part string) bool {
	return strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

func isOuter(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// fileOf returns the name of a key's file in its prefix.
func fileOf(key string) string { return strings.ReplaceAll(key, "/", slash) + valueSuffix }

// keyOf is the way back; false for a file that is no key's.
func keyOf(file string) (string, bool) {
	name, ok := strings.CutSuffix(file, valueSuffix)
	key := strings.ReplaceAll(name, slash, "/")
	return key, ok && CheckKey(key) == nil && fileOf(key) == file
}

package statefs

import (
	"strings"

	"nexus/libupdates/refusal"
)

// Bounds, in bytes unless stated otherwise. schema/statefs.capnp documents the first three.
const (
	MaxKey   = 128
	MaxValue = 128 << 10
	MaxPage  = 256 // entries per List
)

// A Quota limits a prefix.
type Quota struct {
	Bytes int64 // of keys and values together
	Keys  int
	// Reserved means that a key that was put before can be put again, with a value that is not shorter, even if others
	// have filled the disk.
	Reserved bool
}

// Boot is the prefix of the boot record.
const Boot = "boot"

// Quotas returns all prefixes. The sum of the quotas is the maximum that a state folder may hold.
func Quotas() map[string]Quota {
	return map[string]Quota{
		Boot:       {Bytes: 512 << 10, Keys: 16, Reserved: true}, // the boot record
		"keystore": {Bytes: 512 << 10, Keys: 256},                // keys added after installation
		"apps":     {Bytes: 16 << 20, Keys: 4096},                // values of bundles
		"crash":    {Bytes: 4 << 20, Keys: 1024},                 // crash reports
		"journal":  {Bytes: 8 << 20, Keys: 256},                  // the newest part of the journal
	}
}

const (
	root        = "."
	formatFile  = "statefs"
	formatKey   = "statefs"
	reserveFile = "statefs.reserve"
	valueSuffix = ".value"
	tempSuffix  = ".tmp"
	slash       = "+" // replaces a slash in the name of a file
	lostFound   = "lost+found"
)

// CheckKey refuses an invalid key as BadStateKey. A key has 1 to MaxKey bytes. It consists of parts of [a-z0-9._-],
// separated by slashes, each of which begins and ends with a letter or digit.
func CheckKey(key string) error {
	ok := len(key) <= MaxKey
	for part := range strings.SplitSeq(key, "/") {
		ok = ok && part != "" && isInner(part) && isOuter(part[0]) && isOuter(part[len(part)-1])
	}
	if !ok {
		return refusal.New(refusal.BadStateKey, "%.140q is not a key", key)
	}
	return nil
}

// checkStart refuses a text that no key can begin with or follow.
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

// fileOf returns the name of a key's file within its prefix.
func fileOf(key string) string { return strings.ReplaceAll(key, "/", slash) + valueSuffix }

// keyOf returns the key of a file, or false if the file is not that of a key.
func keyOf(file string) (string, bool) {
	name, ok := strings.CutSuffix(file, valueSuffix)
	key := strings.ReplaceAll(name, slash, "/")
	return key, ok && CheckKey(key) == nil && fileOf(key) == file
}

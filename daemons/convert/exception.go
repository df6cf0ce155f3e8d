package convert

import (
	"errors"
	"fmt"
	"strings"

	"capnproto.org/go/capnp/v3/exc"

	"nexus/libupdates/refusal"
)

// Except turns a refusal into an exception, for calls whose results have no field for one. Its text is `<reason>:
// <detail>`, which Excepted parses at the other end. Other errors are returned unchanged.
func Except(err error) error {
	var refused *refusal.Error
	if !errors.As(err, &refused) {
		return err
	}
	return exc.New(exc.Failed, "", fmt.Sprintf("%s: %s", refused.Reason, refused.Detail))
}

// Excepted turns an exception made by Except back into the refusal. Other errors are returned unchanged, including
// exceptions whose text merely contains a reason.
func Excepted(err error) error {
	if err == nil || !exc.IsType(err, exc.Failed) {
		return err
	}
	code, detail, found := strings.Cut(Text(err), ": ")
	if !found || !crosses(refusal.Reason(code)) {
		return err
	}
	return refusal.New(refusal.Reason(code), "%s", detail)
}

// Text returns the text of a peer's exception, without the names of the call and the library in front of it.
func Text(err error) string {
	text := err.Error()
	for {
		first, rest, found := strings.Cut(text, ": ")
		if !found || !fromLibrary(first) {
			return text
		}
		text = rest
	}
}

// fromLibrary reports whether a part of an error is a prefix of the library that says where it came from: `rpc`,
// `bundle.capnp:BundleMgr.list`, or, if a process without the schema forwarded the call, `@0xb29eeb492fd30bbf.@0`.
func fromLibrary(part string) bool {
	return part == "rpc" || part == "capnp" || part == "call" || strings.Contains(part, ".capnp:") ||
		strings.HasPrefix(part, "@0x")
}

// crosses reports whether the schema has a method that uses an exception to refuse for this reason.
func crosses(reason refusal.Reason) bool {
	switch reason {
	case refusal.UnknownBundle, refusal.UnknownName, refusal.NotGranted, refusal.NotRunnable, refusal.WrongArchitecture,
		refusal.TooManyClients, refusal.Stale, refusal.Superseded, refusal.BadPath, refusal.BadBundleName,
		refusal.NoSuchFile, refusal.NotADirectory, refusal.IsADirectory, refusal.DigestMismatch, refusal.SizeMismatch,
		refusal.MissingEntry, refusal.BadEntryType, refusal.UnreadableEntry, refusal.UnknownApp, refusal.BadKey:
		return true
	default:
		return false
	}
}

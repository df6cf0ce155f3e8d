package convert

import (
	"errors"
	"fmt"
	"strings"

	"capnproto.org/go/capnp/v3/exc"

	"nexus/libupdates/refusal"
)

// Except makes a refusal the exception of a call whose results have no place for one. Its text is `<reason>: <detail>`,
// and Excepted reads it at the other end. An error that is no refusal stays as it is.
func Except(err error) error {
	var refused *refusal.Error
	if !errors.As(err, &refused) {
		return err
	}
	return exc.New(exc.Failed, "", fmt.Sprintf("%s: %s", refused.Reason, refused.Detail))
}

// Excepted turns the exception that Except made, as the caller of a method gets it, back into the refusal. Every other
// error stays as it is: so does an exception of a peer whose text only happens to have a reason in it somewhere.
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

// Text is what a peer said by its exception, without the names of the call and of the library that stand before it.
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

// fromLibrary tells whether a part of an error is where the library says that it came from: `rpc`,
// `bundle.capnp:BundleMgr.list`, or, from whoever passed the call on without knowing its schema,
// `@0xb29eeb492fd30bbf.@0`.
func fromLibrary(part string) bool {
	return part == "rpc" || part == "capnp" || part == "call" || strings.Contains(part, ".capnp:") ||
		strings.HasPrefix(part, "@0x")
}

// crosses tells whether a schema says of a method that it refuses for this reason by an exception.
func crosses(reason refusal.Reason) bool {
	switch reason {
	case refusal.UnknownBundle, refusal.UnknownName, refusal.NotGranted, refusal.NotRunnable, refusal.WrongArchitecture,
		refusal.Stale,
		refusal.Superseded,
		refusal.BadPath, refusal.BadBundleName, refusal.NoSuchFile, refusal.NotADirectory, refusal.IsADirectory,
		refusal.DigestMismatch:
		return true
	default:
		return false
	}
}

package bootctl

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"nexus/libupdates/refusal"
)

// Bounds of the texts in a record, in bytes.
const (
	maxVersion = 64
	maxReason  = 64
	maxDetail  = 256
	maxOp      = 16
)

// cleanReason keeps a reason of the form of a code and turns anything else into IO, so that what reaches the record can
// be read back.
func cleanReason(reason refusal.Reason) refusal.Reason {
	if !isCode(string(reason), maxReason) || reason == "" {
		return refusal.IO
	}
	return reason
}

// cleanDetail makes one printable line of at most maxDetail bytes.
func cleanDetail(detail string) string {
	line := strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(detail, "?"))
	return clip(line, maxDetail)
}

// clip cuts a text to at most limit bytes, at a character's edge.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// isCode reports whether text is empty or a code in kebab-case of at most limit bytes.
func isCode(text string, limit int) bool {
	return len(text) <= limit && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isLine reports whether text is a line of at most limit bytes that can be shown as it is.
func isLine(text string, limit int) bool {
	return len(text) <= limit && utf8.ValidString(text) &&
		!strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) })
}

package bootctl

import (
	"slices"
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

	maxEventDetail = 128
)

// Bounds of what a rollback says about the failed service.
const (
	maxOutput      = 2048 // bytes, line ends included
	maxOutputLines = 16
	maxRefused     = 4
	maxRefusedLine = 256
)

// cleanReason keeps a reason that has the form of a code, and turns anything else into IO, so that the record can be
// read back.
func cleanReason(reason refusal.Reason) refusal.Reason {
	if !isCode(string(reason), maxReason) || reason == "" {
		return refusal.IO
	}
	return reason
}

// cleanDetail makes one printable line of at most maxDetail bytes.
func cleanDetail(detail string) string {
	return clip(printable(detail), maxDetail)
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

// printable makes one line of a text that came from elsewhere.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "?"))
}

// lastLines joins as many of the last lines as the bounds of an output allow.
func lastLines(lines []string) string {
	var kept []string
	room := maxOutput
	for i := len(lines) - 1; i >= 0 && len(kept) < maxOutputLines; i-- {
		line := clip(printable(lines[i]), maxOutput/2)
		if room -= len(line) + 1; room < 0 {
			break
		}
		kept = append(kept, line)
	}
	slices.Reverse(kept)
	return strings.Join(kept, "\n")
}

// firstLines joins as many lines as the bounds of a refusal allow.
func firstLines(lines []string) string {
	var kept []string
	for _, line := range lines[:min(len(lines), maxRefused)] {
		kept = append(kept, clip(printable(line), maxRefusedLine))
	}
	return strings.Join(kept, "\n")
}

// areLines reports whether a text consists of lines, within bounds, that can be shown as they are.
func areLines(text string, most, bytes int) bool {
	lines := strings.Split(text, "\n")
	return len(text) <= bytes && len(lines) <= most &&
		!slices.ContainsFunc(lines, func(line string) bool { return !isLine(line, bytes) })
}

package logd

import (
	"strconv"
	"strings"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
)

// lineOf returns a record as the console shows it, if it does: audit, crash, and what is a warning or worse. It has no
// time and no number in it, so that two runs of the same story print the same.
func lineOf(sender string, e logclient.Entry) (string, bool) {
	switch {
	case e.Kind == journal.Kind_audit:
		return sender + ": audit" + some(e, "op", "app", "slot", "version", "result", "reason"), true
	case e.Kind == journal.Kind_crash:
		return sender + ": crash" + some(e, "process", "exit"), true
	case e.Level >= journal.Level_warn:
		return sender + ": [" + e.Level.String() + "] " + printable(e.Message) + all(e), true
	default:
		return "", false
	}
}

// some shows these fields as far as they have a value; the journal has the rest.
func some(e logclient.Entry, keys ...string) string {
	var line strings.Builder
	for _, key := range keys {
		if value := e.Value(key); value != "" {
			writeField(&line, logclient.Field{Key: key, Value: value})
		}
	}
	return line.String()
}

func all(e logclient.Entry) string {
	var line strings.Builder
	for _, f := range e.Fields {
		writeField(&line, f)
	}
	return line.String()
}

func writeField(line *strings.Builder, f logclient.Field) {
	line.WriteByte(' ')
	line.WriteString(word(f.Key))
	line.WriteByte('=')
	line.WriteString(word(f.Value))
}

// word shows a text as one word: quoted, unless it is one.
func word(text string) string {
	if text == "" || strings.ContainsAny(text, " =\"") || printable(text) != text {
		return strconv.Quote(text)
	}
	return text
}

// printable shows control characters, and whatever else could move a terminal's cursor or hide text, by their escapes.
func printable(text string) string {
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

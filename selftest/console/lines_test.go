package console_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"nexus/selftest/console"
	"nexus/selftest/kit"
)

func TestLinesAreAwaited(t *testing.T) {
	var l console.Lines
	r, w := io.Pipe()
	go l.Read(r, nil)
	second := func(lines []string) (bool, error) { return console.Count(lines, "one") == 2, nil }
	go io.WriteString(w, "one\r\nother\none more\n")
	kit.Must(t, l.Await(patience, "the second line", second))
	if got := l.Since(0); len(got) != 3 || got[0] != "one" || l.Shown() != 3 || len(l.Since(2)) != 1 {
		t.Errorf("got %q", got)
	}
	never := func([]string) (bool, error) { return false, nil }
	if err := l.Await(time.Nanosecond, "more", never); err == nil || !strings.HasPrefix(err.Error(), "timed out") {
		t.Errorf("got %v", err)
	}
	w.Close()
	if err := l.Await(patience, "more", never); err == nil || err.Error() != "the console ended without more" {
		t.Errorf("got %v", err)
	}
}

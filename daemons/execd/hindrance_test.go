package execd

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

func TestStateOf(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want health.State
	}{
		"a program for another machine": {refusal.New(refusal.WrongArchitecture, "no"), health.StartFailed},
		"other bytes":                   {refusal.New(refusal.DigestMismatch, "no"), health.Hindered},
		"not published yet":             {refusal.New(refusal.UnknownBundle, "no"), health.Hindered},
		"no descriptor":                 {fmt.Errorf("cannot start hello: %w", syscall.EMFILE), health.Hindered},
		"no process":                    {syscall.EAGAIN, health.Hindered},
		"no answer":                     {io.ErrUnexpectedEOF, health.Hindered},
		"anything else":                 {errors.New("some words"), health.Hindered},
	} {
		if got := stateOf(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

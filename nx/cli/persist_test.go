package cli

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/vat"
)

// A daemon that takes its time to start, as on a slow machine, is waited for; one that never comes is not.
func TestHowLongADaemonIsWaitedFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		takes time.Duration
		want  error
	}{
		{"it comes at once", 0, nil},
		{"it takes 25 seconds", 25 * time.Second, nil},
		{"it never comes", time.Hour, errGone},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				s := &session{conn: vat.Connect(near, capnp.Client{})}
				defer s.conn.Close()
				begun := time.Now()
				err := s.persist(t.Context(), func() (heard, enough bool, err error) {
					there := time.Since(begun) >= c.takes
					return there, there, nil
				})
				if !errors.Is(err, c.want) {
					t.Errorf("after %s: got %v, want %v", time.Since(begun), err, c.want)
				}
			})
		})
	}
}

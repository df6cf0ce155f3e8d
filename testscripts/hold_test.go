package testscripts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// holdKey is where a scenario keeps its connections, by name.
type holdKey struct{}

// holdPatience bounds the wait for an answer over a connection that is kept.
const holdPatience = time.Minute

// hold opens a connection to the demo's web server that is kept: `NAME PORT`.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hold NAME PORT")
	}
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+args[1], holdPatience)
	ts.Check(err)
	ts.Defer(func() { conn.Close() })
	_, err = fmt.Fprint(conn, "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n")
	ts.Check(err)
	ts.Value(holdKey{}).(map[string]net.Conn)[args[0]] = conn
}

// held says a line over a connection that is kept, and prints the answer: `NAME`. With `!` it waits until the
// connection has ended: a program ends a moment after what it depends on.
func held(ts *testscript.TestScript, neg bool, args []string) {
	conn := ts.Value(holdKey{}).(map[string]net.Conn)[args[0]]
	ts.Check(conn.SetDeadline(time.Now().Add(holdPatience)))
	if neg {
		var timeout net.Error
		if _, err := io.Copy(io.Discard, conn); errors.As(err, &timeout) && timeout.Timeout() {
			ts.Fatalf("held %s: it has not ended: %v", args[0], err)
		}
		return
	}
	_, err := fmt.Fprintln(conn, "line")
	ts.Check(err)
	answer, err := bufio.NewReader(conn).ReadString('\n')
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), answer)
}

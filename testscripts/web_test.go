package testscripts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// freePort sets a variable to a port that nobody listens on: `port NAME`. It is none of those that the kernel gives to
// outgoing connections.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: port NAME")
	}
	port, err := unused(15000, 29999)
	ts.Check(err)
	ts.Setenv(args[0], fmt.Sprint(port))
}

// unused finds a port that nobody listens on, from first to last.
func unused(first, last int) (port int, err error) {
	for range 100 {
		port = first + rand.IntN(last-first+1)
		var listener net.Listener
		if listener, err = net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			return port, listener.Close()
		}
	}
	return 0, err
}

// expand replaces $NAME in files by the variables of the scenario: `expand FILE...`.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		value := func(variable string) string {
			if strings.HasPrefix(variable, "NEXUS_") {
				return "${" + variable + "}" // the system fills it in
			}
			return ts.Getenv(variable)
		}
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(os.Expand(ts.ReadFile(name), value)), 0o644))
	}
}

// fetch asks a server once and prints its answer: `fetch URL`. `! fetch URL` wants that nobody listens.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: fetch URL")
	}
	text, err := get(args[0])
	if neg != (err != nil) {
		ts.Fatalf("fetch %s: %q, %v", args[0], text, err)
	}
	fmt.Fprint(ts.Stdout(), text)
}

// get asks a server, over a connection of its own.
func get(url string) (string, error) {
	client := http.Client{Timeout: waitLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// say sends a line to a server and prints the first line of its answer: `say ADDRESS LINE`.
func say(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: say ADDRESS LINE")
	}
	conn, err := net.Dial("tcp", args[0])
	ts.Check(err)
	defer conn.Close()
	ts.Check(conn.SetDeadline(time.Now().Add(waitLimit)))
	fmt.Fprintf(conn, "%s\r\n", args[1])
	line, err := bufio.NewReader(conn).ReadString('\n')
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), line)
}

// hammerKey is the key of a scenario's requests among its values.
type hammerKey struct{}

// A hammer sends requests without a pause, from several clients.
type hammer struct {
	stop    chan struct{}
	clients sync.WaitGroup

	mu      sync.Mutex
	answers map[string]int
	refused error   // the first
	lost    []error // requests on connections that were accepted
}

// hammers is how many clients send requests at a time.
const hammers = 4

// hammering sends requests to a server until further notice: `hammer URL`. `hammer ENDS` ends that, and wants that none
// was refused. Where the server ended that often, each client may have lost one request at each end: what a server does
// not answer within a second of being told to end is lost, however slow the machine is. It prints how many answers of
// each kind there were.
func hammering(ts *testscript.TestScript, _ bool, args []string) {
	if strings.HasPrefix(args[0], "http:") {
		h := &hammer{stop: make(chan struct{}), answers: map[string]int{}}
		*ts.Value(hammerKey{}).(**hammer) = h
		for range hammers {
			h.clients.Go(func() { h.client(args[0]) })
		}
		ts.Defer(h.end)
		return
	}
	h := *ts.Value(hammerKey{}).(**hammer)
	h.end()
	ends, err := strconv.Atoi(args[0])
	ts.Check(err)
	if h.refused != nil || len(h.lost) > ends*hammers {
		ts.Fatalf("requests were refused (%v) or lost (%v), beside the answers %v", h.refused, h.lost, h.answers)
	}
	ts.Logf("lost at %d ends: %v", ends, h.lost)
	for answer, count := range h.answers {
		fmt.Fprintf(ts.Stdout(), "%s %d\n", answer, count)
	}
}

func (h *hammer) client(url string) {
	for {
		select {
		case <-h.stop:
			return
		case <-time.After(time.Millisecond):
		}
		text, err := get(url)
		h.mu.Lock()
		switch {
		case err == nil:
			h.answers[strings.TrimSpace(text)]++
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
			h.lost = append(h.lost, err)
		case h.refused == nil:
			h.refused = err
		}
		h.mu.Unlock()
	}
}

func (h *hammer) end() {
	h.mu.Lock()
	select {
	case <-h.stop:
	default:
		close(h.stop)
	}
	h.mu.Unlock()
	h.clients.Wait()
}

// building builds a program of the demo: `NAME FILE VERSION [MODE]`.
func building(name string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) { build(ts, name, args) }
}

func build(ts *testscript.TestScript, name string, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: PROGRAM FILE VERSION [MODE]")
	}
	flags := "-X main.version=" + args[1]
	if len(args) == 3 {
		flags += " -X main.mode=" + args[2]
	}
	cmd := exec.Command("go", "build", "-ldflags", flags, "-o", ts.MkAbs(args[0]), "nexus/selftest/demo/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		ts.Fatalf("cannot build %s: %v\n%s", name, err, out)
	}
}

// buildCaddy builds Caddy from its module, or takes the program that CADDY names: `caddy FILE`.
func buildCaddy(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: caddy FILE")
	}
	if built := os.Getenv("CADDY"); built != "" {
		ts.Check(os.Link(built, ts.MkAbs(args[0])))
		return
	}
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	ts.Check(err)
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", ts.MkAbs(args[0]),
		"github.com/caddyserver/caddy/v2/cmd/caddy")
	cmd.Dir = filepath.Join(strings.TrimSpace(string(root)), "selftest", "caddy")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		ts.Fatalf("cannot build Caddy: %v\n%s", err, out)
	}
}

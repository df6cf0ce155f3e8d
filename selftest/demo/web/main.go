// Command web is a small HTTP server for tests and documents. It serves on the sockets that it is handed
// (sd_listen_fds(3)), or opens one where LISTEN_ON says. It answers each request with its greeting, which may be that
// of the data bundle `pages`, and its version; with state, also with how many visits there were. /env shows its
// arguments and environment, /device/NAME uses a device, /dial/PORT connects to a port of the machine, and /hold keeps
// the connection: it answers each line with how many lines it has had from all; /end ends it. When it is told to end it
// first answers what it has accepted.
//
//	go build -ldflags '-X main.version=1.1.0' ./selftest/demo/web
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// Set at link time; never changed.
var (
	version = "0.0.0"
	mode    = "ok" // exit: it ends before it has served anything
)

func main() {
	if mode == "exit" {
		os.Exit(3)
	}
	if err := serve(); err != nil {
		fmt.Fprintf(os.Stderr, "web: %v\n", err)
		os.Exit(1)
	}
}

// serve serves on all sockets until it is told to end.
func serve() error {
	listeners, err := sockets()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var serving, connections sync.WaitGroup
	server := &http.Server{Handler: handler(), ConnState: func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			connections.Add(1)
		case http.StateClosed, http.StateHijacked:
			connections.Done()
		}
	}}
	server.SetKeepAlivesEnabled(false)
	for _, listener := range listeners {
		serving.Go(func() { server.Serve(listener) })
	}
	fmt.Printf("web %s serves on %s\n", version, os.Getenv("LISTEN_FDNAMES"))
	<-ctx.Done()
	// Not Shutdown: it leaves requests without an answer whose connections were accepted just before.
	for _, listener := range listeners {
		listener.Close()
	}
	serving.Wait()
	connections.Wait()
	return nil
}

// sockets are those that are handed over, or one that is bound where LISTEN_ON says.
func sockets() ([]net.Listener, error) {
	on := os.Getenv("LISTEN_ON")
	if on == "" {
		return inherited()
	}
	listener, err := net.Listen("tcp", on)
	return []net.Listener{listener}, err
}

// firstSocket is the descriptor of the first socket that is handed over.
const firstSocket = 3

func inherited() ([]net.Listener, error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, errors.New("no socket was handed over")
	}
	var all []net.Listener
	for i, name := range strings.Split(os.Getenv("LISTEN_FDNAMES"), ":") {
		if strings.HasPrefix(name, "device/") {
			break // behind the sockets
		}
		listener, err := net.FileListener(os.NewFile(uintptr(firstSocket+i), "socket"))
		if err != nil {
			return nil, err
		}
		all = append(all, listener)
	}
	return all, nil
}

func handler() http.Handler {
	greeting, visits, given := greet(), &counter{}, devices()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s from %s%s\n", greeting, version, visits.next())
	})
	mux.HandleFunc("/env", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%q\n%s\nPID=%d\n", os.Args, strings.Join(os.Environ(), "\n"), os.Getpid())
	})
	mux.HandleFunc("/device/{name}", func(w http.ResponseWriter, r *http.Request) { use(w, given[r.PathValue("name")]) })
	mux.HandleFunc("/hold", hold)
	mux.HandleFunc("/end", func(http.ResponseWriter, *http.Request) { os.Exit(1) })
	mux.HandleFunc("/dial/{port}", func(w http.ResponseWriter, r *http.Request) { dial(w, r.PathValue("port")) })
	return mux
}

// devices are those that were handed over, by their names; they stay open.
func devices() map[string]*os.File {
	all := map[string]*os.File{}
	for i, text := range strings.Split(os.Getenv("LISTEN_FDNAMES"), ":") {
		if name, is := strings.CutPrefix(text, "device/"); is {
			all[name] = os.NewFile(uintptr(firstSocket+i), name)
		}
	}
	return all
}

// use reads from a device, writes to it, and tells how that went.
func use(w io.Writer, device *os.File) {
	buffer := make([]byte, 4)
	_, reading := device.Read(buffer)
	_, writing := device.Write(buffer)
	fmt.Fprintf(w, "read %q: %v, written: %v\n", buffer, reading, writing)
}

// greet returns the greeting: that of the data bundle `pages`, the first argument, or another one.
func greet() string {
	if pages := os.Getenv("NEXUS_DATA_PAGES"); pages != "" {
		text, err := os.ReadFile(filepath.Join(pages, "greeting"))
		if err != nil {
			return err.Error()
		}
		return strings.TrimSpace(string(text))
	}
	if len(os.Args) > 1 {
		return os.Args[1]
	}
	return "hello"
}

// A counter counts visits in the program's state.
type counter struct{ mu sync.Mutex }

// next counts a visit, and tells which it was; nothing without state.
func (c *counter) next() string {
	state := os.Getenv("NEXUS_STATE")
	if state == "" {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	file := filepath.Join(state, "visits")
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ", " + err.Error()
	}
	visits, _ := strconv.Atoi(string(text))
	visits++
	if err := os.WriteFile(file, []byte(strconv.Itoa(visits)), 0o600); err != nil {
		return ", " + err.Error()
	}
	return fmt.Sprintf(", visit %d", visits)
}

// lines is how many lines have come over connections that are kept.
var lines atomic.Uint64

// hold answers each line of a connection, until that ends.
func hold(w http.ResponseWriter, _ *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		if _, err := buffered.ReadString('\n'); err != nil {
			return
		}
		if _, err := fmt.Fprintf(conn, "%d from %s\n", lines.Add(1), version); err != nil {
			return
		}
	}
}

// dial connects to a port of this machine, and tells how that went.
func dial(w io.Writer, port string) {
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		fmt.Fprintln(w, err)
		return
	}
	conn.Close()
	fmt.Fprintln(w, "connected")
}

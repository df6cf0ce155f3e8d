package testscripts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"nexus/selftest/demo"
)

// A load sends requests at a steady rate, each over a connection of its own, and tries again where nobody listens.
type load struct {
	url     string
	stop    chan struct{}
	pending sync.WaitGroup

	mu                    sync.Mutex
	sent, refused, broken int
	longest               time.Duration // from the time at which a request was due to its answer
}

// rate is how many requests are sent in a second.
const rate = 500

func newLoad(port int) *load {
	l := &load{url: fmt.Sprintf("http://127.0.0.1:%d/", port), stop: make(chan struct{})}
	l.pending.Go(func() {
		due := time.NewTicker(time.Second / rate)
		defer due.Stop()
		for {
			select {
			case at := <-due.C:
				l.pending.Go(func() { l.send(at) })
			case <-l.stop:
				return
			}
		}
	})
	return l
}

func (l *load) send(at time.Time) {
	refused, broken := 0, 0
	for {
		_, err := get(l.url)
		if err == nil {
			break
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			refused++
		} else {
			broken++
		}
		time.Sleep(time.Millisecond)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	l.refused += min(refused, 1)
	l.broken += min(broken, 1)
	l.longest = max(l.longest, time.Since(at))
}

// end ends the load and reports what became of the requests: how many of a million were refused, or lost their
// connection.
func (l *load) end(b *testing.B) {
	time.Sleep(100 * time.Millisecond)
	close(l.stop)
	l.pending.Wait()
	b.ReportMetric(float64(l.sent), "requests")
	b.ReportMetric(float64(l.refused), "refused")
	b.ReportMetric(float64(l.broken), "broken")
	b.ReportMetric(float64(l.longest.Microseconds())/1000, "ms-longest")
	b.ReportMetric(0, "ns/op")
}

// A webRig has a server as a program and in sets: the demo's, or one of files.
type webRig struct {
	dir, program string
	port         int
	site         string // the folder that it serves; empty: it is the demo's
}

func newWebRig(b *testing.B) webRig {
	port, err := unused(15000, 29999)
	if err != nil {
		b.Fatal(err)
	}
	r := webRig{dir: b.TempDir(), port: port}
	r.program = filepath.Join(r.dir, "web")
	build := exec.Command("go", "build", "-o", r.program, "nexus/selftest/demo/web")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return r
}

// set packs a set of that version, with a core if that is wanted.
func (r webRig) set(b *testing.B, version string, core bool) string {
	p := demo.Packer{Bin: shared.bin(), Key: filepath.Join(shared.demo(), "keys", "demo")}
	in, set := filepath.Join(r.dir, version), filepath.Join(r.dir, version+".nxs")
	m := demo.Manifest{Name: "web", Version: version, Abilities: demo.Plain,
		Caps: fmt.Sprintf(`"net.listen:tcp/%d"`, r.port)}
	if r.site != "" {
		m.Name, m.Caps = "httpd", m.Caps+`, "data:site"`
		m.Args = fmt.Sprintf(`"-f", "-p", "%d", "-h", "${NEXUS_DATA_SITE}"`, r.port)
	}
	err := p.Bundle(m, r.program, in)
	if err == nil && r.site != "" {
		err = p.Tree("site", version, r.site, in)
	}
	if err == nil && core {
		err = p.Bundle(demo.Manifest{Name: "nexus.core", Version: version}, filepath.Join(shared.bin(), "nexus"), in)
	}
	if err == nil {
		err = p.Set(in, version, set)
	}
	if err != nil {
		b.Fatal(err)
	}
	return set
}

// up starts a system that serves, and returns how it is operated.
func (r webRig) up(b *testing.B) func(args ...string) {
	dir, rules := filepath.Join(r.dir, "sys"), filepath.Join(r.dir, "policy.toml")
	rule := "[[allow]]\npublisher = \"*\"\nbundle = \"*\"\npowers = [\"net.listen:tcp/*\", \"data:*\"]\n"
	if err := os.WriteFile(rules, []byte(rule), 0o644); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(up(b, dir, "--policy", rules, "--factory", r.set(b, "1.0.0", false)))
	return func(args ...string) {
		if out, err := exec.Command(filepath.Join(shared.bin(), "nx"), append([]string{"--dir", dir},
			args...)...).CombinedOutput(); err != nil {
			b.Fatalf("nx %q: %v: %s", args, err, out)
		}
	}
}

// BenchmarkServing sends 500 requests a second to the demo's web server while its service is replaced: by an update, a
// rollback, its death, and an update of the core. Beside it, the same program is restarted by a process that keeps its
// socket, by one with which it binds its port anew, and by systemd in both ways.
func BenchmarkServing(b *testing.B) {
	for name, do := range map[string]func(b *testing.B, r webRig, nx func(args ...string)){
		"update":   func(b *testing.B, r webRig, nx func(args ...string)) { nx("update", r.set(b, "2.0.0", false)) },
		"rollback": func(_ *testing.B, _ webRig, nx func(args ...string)) { nx("rollback") },
		"core":     func(b *testing.B, r webRig, nx func(args ...string)) { nx("update", r.set(b, "3.0.0", true)) },
		"kill": func(b *testing.B, r webRig, _ func(args ...string)) {
			pid := served(b, r.port)
			syscall.Kill(pid, syscall.SIGKILL)
			for served(b, r.port) == pid {
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			r := newWebRig(b)
			nx := r.up(b)
			if name == "rollback" {
				nx("update", r.set(b, "2.0.0", false))
			}
			l := newLoad(r.port)
			do(b, r, nx)
			l.end(b)
		})
	}
	for name, anew := range map[string]bool{"restart outside": false, "restart outside, bound anew": true} {
		b.Run(name, func(b *testing.B) {
			r := newWebRig(b)
			start := r.outside(b, anew)
			first := start()
			l := newLoad(r.port)
			time.Sleep(time.Second)
			first.Process.Signal(syscall.SIGTERM)
			first.Wait()
			defer start().Process.Kill()
			l.end(b)
		})
	}
	for name, kept := range map[string]bool{"systemctl restart": true, "systemctl restart, bound anew": false} {
		b.Run(name, func(b *testing.B) {
			r := newWebRig(b)
			operate := r.systemd(b, kept)
			l := newLoad(r.port)
			time.Sleep(time.Second)
			operate("systemctl --user restart web.service")
			served(b, r.port)
			l.end(b)
		})
	}
}

// outside returns how the program is started without a system around it.
func (r webRig) outside(b *testing.B, anew bool) func() *exec.Cmd {
	var socket *os.File
	if !anew {
		listener, err := net.Listen("tcp", fmt.Sprintf(":%d", r.port))
		if err != nil {
			b.Fatal(err)
		}
		if socket, err = listener.(*net.TCPListener).File(); err != nil {
			b.Fatal(err)
		}
		listener.Close()
		b.Cleanup(func() { socket.Close() })
	}
	return func() *exec.Cmd {
		// The shell's number becomes that of the program.
		line := `LISTEN_FDS=1 LISTEN_PID=$$ exec "$0"`
		if anew {
			line = fmt.Sprintf(`LISTEN_ON=:%d exec "$0"`, r.port)
		}
		cmd := exec.Command("sh", "-c", line, r.program)
		if socket != nil {
			cmd.ExtraFiles = []*os.File{socket}
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		served(b, r.port)
		return cmd
	}
}

// served returns the process that serves, once one does.
func served(b *testing.B, port int) (pid int) {
	for deadline := time.Now().Add(waitLimit); time.Now().Before(deadline); {
		text, err := get(fmt.Sprintf("http://127.0.0.1:%d/env", port))
		if err != nil {
			continue
		}
		for line := range strings.Lines(text) {
			if _, err := fmt.Sscanf(line, "PID=%d", &pid); err == nil {
				return pid
			}
		}
	}
	b.Fatal("nobody serves")
	return 0
}

// BenchmarkThroughput compares how many requests a second servers answer in a bundle, and outside: the demo's, and
// Debian's busybox with the pages of a data bundle.
func BenchmarkThroughput(b *testing.B) {
	b.Run("web", func(b *testing.B) {
		inside, outside := newWebRig(b), newWebRig(b)
		inside.up(b)
		free := outside.outside(b, false)()
		defer free.Process.Kill()
		compare(b, inside, outside)
	})
	b.Run("files", func(b *testing.B) {
		if _, err := os.Stat(busybox); err != nil {
			b.Skip("needs Debian's busybox-static: ", err)
		}
		inside, outside := newWebRig(b), newWebRig(b)
		pages := outside.pages(b)
		inside.program, inside.site = busybox, pages
		inside.up(b)
		free := exec.Command(busybox, "httpd", "-f", "-p", fmt.Sprint(outside.port), "-h", pages)
		if err := free.Start(); err != nil {
			b.Fatal(err)
		}
		defer free.Process.Kill()
		compare(b, inside, outside)
	})
}

// busybox is a static one, which serves files, too.
const busybox = "/bin/busybox"

// pages makes a folder with one page of 4 KiB.
func (r webRig) pages(b *testing.B) string {
	dir := filepath.Join(r.dir, "pages")
	page := bytes.Repeat([]byte("page\n"), 4096/5)
	if err := errors.Join(os.Mkdir(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "index.html"), page, 0o644)); err != nil {
		b.Fatal(err)
	}
	return dir
}

// compare asks both in turns, so that what else the machine does is the same for both.
func compare(b *testing.B, inside, outside webRig) {
	inside.awaitAnswer(b)
	outside.awaitAnswer(b)
	var counts [2]int
	for b.Loop() {
		for range 10 {
			counts[0] += answered(b, inside.port, turn)
			counts[1] += answered(b, outside.port, turn)
		}
	}
	b.ReportMetric(float64(counts[0])/(float64(b.N)*10*turn.Seconds()), "requests/s")
	b.ReportMetric(float64(counts[0])/float64(counts[1]), "inside/outside")
	b.ReportMetric(0, "ns/op")
}

// awaitAnswer waits until the server answers.
func (r webRig) awaitAnswer(b *testing.B) {
	for deadline := time.Now().Add(waitLimit); time.Now().Before(deadline); {
		if _, err := get(fmt.Sprintf("http://127.0.0.1:%d/", r.port)); err == nil {
			return
		}
	}
	b.Fatal("nobody serves")
}

// turn is how long each of them is asked before it is the other's turn.
const turn = 500 * time.Millisecond

// answered counts the requests that a server answers in a time, over connections that stay.
func answered(b *testing.B, port int, span time.Duration) int {
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: hammers}}
	var clients sync.WaitGroup
	var counts [hammers]int
	end := time.Now().Add(span)
	for i := range hammers {
		clients.Go(func() {
			for time.Now().Before(end) {
				answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
				if err != nil {
					b.Error(err)
					return
				}
				var text bytes.Buffer
				io.Copy(&text, answer.Body)
				answer.Body.Close()
				counts[i]++
			}
		})
	}
	clients.Wait()
	all := 0
	for _, n := range counts {
		all += n
	}
	return all
}

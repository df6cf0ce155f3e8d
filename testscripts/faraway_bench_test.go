package testscripts

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"nexus/selftest/demo"
)

// A farLine carries connections to an address with a delay in each direction.
type farLine struct {
	listener net.Listener
	to       string
	delay    time.Duration // one way
}

func newFarLine(b *testing.B, to string) *farLine {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { listener.Close() })
	return &farLine{listener: listener, to: to}
}

// carry carries the next connection, and returns where to connect.
func (l *farLine) carry(b *testing.B) (address string) {
	go func() {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.to)
		if err != nil {
			near.Close()
			return
		}
		go l.way(near, far)
		l.way(far, near)
	}()
	return l.listener.Addr().String()
}

// A late is what arrived, and when it is due on the other side.
type late struct {
	due   time.Time
	bytes []byte
}

// way carries one direction, until its end is reached.
func (l *farLine) way(from io.Reader, to io.WriteCloser) {
	queue := make(chan late, 1<<16)
	go func() {
		defer close(queue)
		for {
			piece := make([]byte, 64<<10)
			n, err := from.Read(piece)
			if err != nil {
				return
			}
			queue <- late{time.Now().Add(l.delay), piece[:n]}
		}
	}()
	defer to.Close()
	for l := range queue {
		time.Sleep(time.Until(l.due))
		if _, err := to.Write(l.bytes); err != nil {
			return
		}
	}
}

// smallSet packs a set that goes over the line without waiting for anybody: an archive has a window of 4 MiB.
func smallSet(b *testing.B, dir string) string {
	program, set := filepath.Join(dir, "plain"), filepath.Join(dir, "small.nxs")
	p := demo.Packer{Bin: shared.bin(), Key: filepath.Join(shared.demo(), "keys", "demo")}
	err := p.Run("go", "build", "-ldflags", "-s -w", "-o", program, "nexus/selftest/demo/plain")
	if err == nil {
		err = p.Bundle(demo.Manifest{Name: "plain", Version: "1.1.0", Abilities: demo.Plain}, program,
			filepath.Join(dir, "bundles"))
	}
	if err == nil {
		err = p.Set(filepath.Join(dir, "bundles"), "1.1.0", set)
	}
	if err != nil {
		b.Fatal(err)
	}
	return set
}

// BenchmarkRoundTrips counts the round trips of verbs over the network after the handshake: how much longer they take
// over a long line than over a short one, in its round trip times.
func BenchmarkRoundTrips(b *testing.B) {
	const roundTrip = time.Second // beside it, the noise of a busy machine is small
	dir := b.TempDir()
	run := func(name string, args ...string) {
		cmd := exec.Command(filepath.Join(shared.bin(), name), args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s %q: %v: %s", name, args, err, out)
		}
	}
	port, err := unused(15000, 29999)
	if err != nil {
		b.Fatal(err)
	}
	run("nxs-pack", "keygen", "--output", "anna")
	address := fmt.Sprintf("127.0.0.1:%d", port)
	b.Cleanup(up(b, filepath.Join(dir, "sys"), "--settle", "100ms", "--factory", setFile(oldVersion), "--listen",
		address, "--operator", filepath.Join(dir, "anna.pub")+"=operator"))
	line := newFarLine(b, address)
	took := func(delay time.Duration, verb ...string) time.Duration {
		line.delay = delay
		begin := time.Now()
		run("nx", append([]string{"--to", line.carry(b), "--key", "anna", "--device-key", "sys/device.pub"},
			verb...)...)
		return time.Since(begin)
	}
	set := smallSet(b, dir)
	stage, discard := []string{"stage", set}, []string{"discard"}
	update, rollback, clear := []string{"update", set}, []string{"rollback"}, []string{"clear", "1.1.0"}
	for _, c := range []struct {
		verb          []string
		before, after [][]string
	}{
		{verb: []string{"status"}},
		{verb: []string{"bundles"}},
		{verb: stage, after: [][]string{discard}},
		{verb: discard, before: [][]string{stage}},
		{verb: update, after: [][]string{rollback, clear}},
		{verb: rollback, before: [][]string{update}, after: [][]string{clear}},
	} {
		b.Run(c.verb[0], func(b *testing.B) {
			var times [2]time.Duration
			for range b.N {
				for i, delay := range []time.Duration{0, roundTrip / 2} {
					for _, verb := range c.before {
						run("nx", append([]string{"--dir", "sys"}, verb...)...)
					}
					times[i] += took(delay, c.verb...)
					for _, verb := range c.after {
						run("nx", append([]string{"--dir", "sys"}, verb...)...)
					}
				}
			}
			b.ReportMetric(float64(times[1]-times[0])/float64(b.N)/float64(roundTrip)-1, "round-trips")
			b.ReportMetric(0, "ns/op")
		})
	}
}

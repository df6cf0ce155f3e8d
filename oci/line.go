package oci

import (
	"context"
	"net"
	"time"
)

// A Line is how a Client connects.
type Line struct {
	Resolver *net.Resolver // nil: the machine's
	// how much the kernel may have received that nobody has read yet, in bytes; 0: as the kernel likes
	Window int
	Rate   int64 // bytes a second that each connection receives at most; 0: no limit
}

// MinRate is the least rate at which a transfer does not stall.
const MinRate = 16 << 10

// dial returns a function that connects.
func (l Line) dial(dialer *net.Dialer) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); err == nil && ok && l.Window > 0 {
			err = tcp.SetReadBuffer(l.Window)
		}
		if err != nil || l.Rate == 0 {
			return conn, err
		}
		return &slow{Conn: conn, rate: max(l.Rate, MinRate)}, nil
	}
}

// A slow connection receives so many bytes a second.
type slow struct {
	net.Conn
	rate int64
	free time.Time // when it may receive more
}

// slices is how many times a second a slow connection receives.
const slices = 20

func (s *slow) Read(p []byte) (int, error) {
	if wait := time.Until(s.free); wait > 0 {
		time.Sleep(wait) // at most a slice of a second
	}
	began := time.Now()
	n, err := s.Conn.Read(p[:min(int64(len(p)), s.rate/slices)])
	s.free = began.Add(time.Second * time.Duration(n) / time.Duration(s.rate))
	return n, err
}

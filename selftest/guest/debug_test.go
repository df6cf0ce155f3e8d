package main

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"nexus/selftest/qemu"
)

// A machine with a debugger starts when that says so, however late, and is not reset for being late.
func TestDebuggerLetsAMachineGo(t *testing.T) {
	eachInTurn(t, func(t *testing.T, m qemu.Machine) { // the debugger's address is fixed
		m.Debug, m.Wake = true, 1
		r := up(t, m)
		gdb := attach(t)
		defer gdb.Close()
		ask := func(packet string) { // as in GDB's remote protocol, whose sums these are
			if _, err := io.WriteString(gdb, "+"+packet); err != nil {
				t.Fatal(err)
			}
		}
		ask("$?#3f")
		answer := make([]byte, len("+$T05"))
		if _, err := io.ReadFull(gdb, answer); err != nil || !strings.HasPrefix(string(answer), "+$T05") {
			t.Fatalf("the machine does not stand still: %q, %v", answer, err)
		}
		if lines := r.console(); len(lines) != 0 {
			t.Errorf("it has run already: %q", lines)
		}
		ask("$c#63")
		r.await("init: health ok (slot a)", 1)
		if resets := r.Resets(); len(resets) != 0 {
			t.Errorf("it was reset: %q", resets)
		}
	})
}

// attach connects as soon as QEMU has got as far as to serve a debugger.
func attach(t *testing.T) net.Conn {
	t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for deadline := time.After(patience); ; {
		gdb, err := net.Dial("tcp", qemu.DebugAddress)
		if err == nil {
			return gdb
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("nobody serves a debugger: %v", err)
		}
	}
}

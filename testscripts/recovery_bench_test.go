package testscripts

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// benchHang is the patience of the benchmarked system, and so a floor of what recovery from a stop takes. It is the
// least there is.
const benchHang = time.Second

// BenchmarkRecovery shows how long each daemon of a running system takes from kill -9, and from SIGSTOP, until its next
// life says that it serves. A daemon that ends again soon waits before it is started: each fault hits a system that was
// started for it.
func BenchmarkRecovery(b *testing.B) {
	for _, fault := range []struct {
		name   string
		signal syscall.Signal
	}{{"kill", syscall.SIGKILL}, {"stop", syscall.SIGSTOP}} {
		for _, daemon := range []string{"logd", "samgrd", "keystored", "bundlemgrd", "packagefsd", "patchd", "updated",
			"fetchd", "execd"} {
			b.Run(daemon+"/"+fault.name, func(b *testing.B) {
				var total time.Duration
				for range b.N {
					total += recovery(b, daemon, fault.signal)
				}
				b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms/recovery")
				b.ReportMetric(0, "ns/op") // it would count the system's start
			})
		}
	}
}

// recovery boots a system, sends a daemon the signal and returns how long it was until the daemon was back.
func recovery(b *testing.B, daemon string, fault syscall.Signal) time.Duration {
	b.Helper()
	dir := b.TempDir()
	defer up(b, dir, "--settle", "200ms", "--hang", benchHang.String(), "--factory", setFile(oldVersion))()
	before := awaitDaemon(b, dir, daemon, func(d oracle.Daemon) bool { return d.Ready })
	began := time.Now()
	if err := syscall.Kill(before.PID, fault); err != nil {
		b.Fatal(err)
	}
	awaitDaemon(b, dir, daemon, func(d oracle.Daemon) bool { return d.Ready && d.Restarts > before.Restarts })
	return time.Since(began)
}

// awaitDaemon asks initd, as an operator does, until the daemon is as wanted. One question takes some milliseconds, by
// which the result is too long.
func awaitDaemon(b *testing.B, dir, daemon string, wanted func(oracle.Daemon) bool) oracle.Daemon {
	b.Helper()
	deadline := time.Now().Add(waitLimit)
	for time.Now().Before(deadline) {
		d, err := lookAtDaemon(dir, daemon)
		if err == nil && wanted(d) {
			return d
		}
	}
	b.Fatalf("%s is not as wanted within %v", daemon, waitLimit)
	return oracle.Daemon{}
}

func lookAtDaemon(dir, daemon string) (oracle.Daemon, error) {
	var roll oracle.Roll
	if err := (kit.NX{Bin: shared.bin(), Dir: dir}).Ask(&roll, "services"); err != nil {
		return oracle.Daemon{}, err
	}
	for _, d := range roll.Daemons {
		if d.Name == daemon {
			return d, nil
		}
	}
	return oracle.Daemon{}, fmt.Errorf("%w: no daemon %s", os.ErrNotExist, daemon)
}

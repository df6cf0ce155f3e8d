package probe

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"nexus/daemons/plat"
	"nexus/selftest/kit"
)

// build copies the probe to where every user can execute it: the test program, which contains the code under test. If
// that is not static, as daemons are, build compiles it again.
func build(t testing.TB) string {
	t.Helper()
	path := filepath.Join(shared(t), "probe")
	own, err := os.ReadFile("/proc/self/exe")
	kit.Must(t, err)
	if !plat.Dynamic(bytes.NewReader(own)) {
		kit.Must(t, os.WriteFile(path, own, 0o755))
		return path
	}
	cmd := exec.Command("go", "test", "-c", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build probe: %v\n%s", err, out)
	}
	kit.Must(t, os.Chmod(path, 0o755))
	return path
}

// users returns the user who runs the tests and, if that is root, an unprivileged one as well.
func users() map[string]*syscall.SysProcAttr {
	all := map[string]*syscall.SysProcAttr{"as oneself": nil}
	if os.Geteuid() == 0 {
		all["as nobody"] = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return all
}

func probe(t *testing.T, path string, user *syscall.SysProcAttr, args ...string) string {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr, cmd.Dir = user, "/"
	cmd.Env = []string{"TMPDIR=" + os.TempDir()}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, &errs, out)
	}
	return string(out)
}

// machineHas skips the test if the kernel lacks a mechanism that is the only protection against some attempts.
func machineHas(t *testing.T) {
	for _, m := range plat.PayloadConfinement(0, false).Measures() {
		if !m.On && (m.Name == plat.MeasurePaths || m.Name == plat.MeasureSignals || m.Name == plat.MeasureCalls) {
			t.Skipf("this machine cannot give %v", m)
		}
	}
}

// TestNothingGetsThrough attacks from the confinement of each daemon and from a payload's, with and without root.
func TestNothingGetsThrough(t *testing.T) {
	machineHas(t)
	path := build(t)
	for name, user := range users() {
		t.Run(name, func(t *testing.T) {
			out := probe(t, path, user, partAll)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			last := lines[len(lines)-1]
			var through, of int
			if _, err := fmt.Sscanf(last, "probe: %d of %d get through", &through, &of); err != nil || through != 0 ||
				of < 1000 {
				t.Errorf("%s\nin\n%s", last, out)
			}
			t.Log(last)
		})
	}
}

// TestControl makes the same attempts without confinement. If they are refused then, too, the test above proves
// nothing.
func TestControl(t *testing.T) {
	path := build(t)
	for name, user := range users() {
		t.Run(name, func(t *testing.T) {
			out := probe(t, path, user, partFree)
			for _, attempt := range []string{
				"read a file", "write a file", "create a file", "make a folder", "remove a file",
				"change the mode of a file", "list all processes",
				"read the arguments of another process", "connect: by path", "connect: abstract", "connect: TCP",
				"connect: UDP",
				"signal another process", "open another process", "have another one signalled", "limit another process",
				"start a process", "execute oneself",
				"signal any thread of the starter", "signal any thread as a process", "signal any thread by number",
				"signal any process",
				"signal any process with a value", "signal any thread with a value", "begin a session",
				"make a file to execute", "load a module from a file", "mount the new way", "get another personality",
			} {
				if (user != nil || os.Geteuid() != 0) &&
					(attempt == "load a module from a file" || attempt == "mount the new way") {
					continue // the kernel requires root for it
				}
				if session, _ := unix.Getsid(0); session == 0 && attempt == "begin a session" {
					t.Log("the session's leader is outside this PID namespace: there is no group to leave to, and a leader begins no session (setsid(2))")
					continue
				}
				if !strings.Contains(out, "probe: free: "+attempt+": error ") {
					t.Errorf("without a confinement, refused: %s", attempt)
				}
			}
			t.Log(strings.SplitN(out, "\n", 2)[0])
		})
	}
}

// TestWiderRowShows gives a daemon more than its row of the authority table: the probe must notice.
func TestWiderRowShows(t *testing.T) {
	machineHas(t)
	g, stop, err := newGround(shared(t))
	kit.Must(t, err)
	defer stop()
	g.program = build(t)
	for want, widen := range map[string]func(c *plat.Confinement){
		"read a file": func(c *plat.Confinement) {
			c.Paths = append(c.Paths, plat.PathRule{Path: g.prey.Dir, Access: plat.Read})
		},
		"create a file": func(c *plat.Confinement) {
			c.Paths = append(c.Paths, plat.PathRule{Path: g.prey.Dir, Access: plat.Write})
		},
		"list the root": func(c *plat.Confinement) {
			c.Paths = append(c.Paths,
				plat.PathRule{Path: "/", Access: plat.Read})
		},
		"make a file to execute": func(c *plat.Confinement) { c.Calls = plat.CallsSpawner },
		"accept a connection":    func(c *plat.Confinement) { c.Calls = plat.CallsServer },
		"make a socket: TCP":     func(c *plat.Confinement) { c.Connect = reach(kindClient) },
	} {
		c := plat.PayloadConfinement(0, false)
		c.Calls = plat.CallsDaemon
		c.Paths = append(c.Paths, plat.PathRule{Path: g.program, Access: plat.Read | plat.Execute})
		widen(&c)
		a, err := g.start("logd", []string{partInside}, &c)
		kit.Must(t, err)
		found := false
		for _, o := range a.through() {
			found = found || o.Name == want
		}
		if !found {
			t.Errorf("the probe does not find: %s; it finds %v", want, a.through())
		}
	}
}

// shared returns a new folder that every user can read.
func shared(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nexus-probe-test-")
	kit.Must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	kit.Must(t, os.Chmod(dir, 0o755))
	return dir
}

// BenchmarkStart compares the start of a daemon, from spawning to the end of a program that does nothing, with and
// without confinement.
func BenchmarkStart(b *testing.B) {
	g, stop, err := newGround(shared(b))
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	g.program = build(b)
	var confined, free float64
	for b.Loop() {
		c, err := g.timed("logd")
		if err != nil {
			b.Fatal(err)
		}
		f, err := g.timed(kindFree)
		if err != nil {
			b.Fatal(err)
		}
		confined, free = confined+c.Seconds(), free+f.Seconds()
	}
	b.ReportMetric(confined/free, "confined/free")
	b.ReportMetric((confined-free)/float64(b.N)*1e3, "ms-more")
}

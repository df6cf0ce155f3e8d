package soak

import (
	"archive/tar"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// A planted system is a folder as a system leaves it: a good set in slot a, a broken one in slot b, shut down.
func plantedSystem(t *testing.T) *Soak {
	t.Helper()
	dir := t.TempDir()
	s := &Soak{host: &kit.Host{NX: kit.NX{Dir: filepath.Join(dir, "system"), Tmp: filepath.Join(dir, "tmp")}},
		growth: Growth{}}
	for _, made := range []string{"system/trust/apps", "system/trust/system", "system/system/sets", "tmp"} {
		kit.Must(t, os.MkdirAll(filepath.Join(dir, made), 0o755))
	}
	plant(t, s.at("lock"), "")
	plant(t, s.at("trust/system/0.pub"), "key")
	s.sets = oracle.Sets{plantedSet(t, s, "a", oracle.Good), plantedSet(t, s, "b", oracle.Broken)}
	link(t, "a", s.at("system/active"))
	s.state.ActiveSlot, s.state.HealthOK = "a", true
	s.state.Slots.A.IndexSHA256, s.state.Slots.B.IndexSHA256 = &s.sets[0].Digest, &s.sets[1].Digest
	return s
}

// plantedSet makes an archive, reads it as any other, and puts its files into a slot.
func plantedSet(t *testing.T, s *Soak, slot string, fate oracle.Fate) *oracle.Set {
	t.Helper()
	set := &oracle.Set{Name: slot, File: filepath.Join(t.TempDir(), "set.nxs"), Fate: fate}
	files := map[string]string{oracle.IndexFile: "index of " + slot, "hello.nxb/manifest.nxb": "manifest",
		"hello.nxb/payload.elf": "program of " + slot}
	archive, err := os.Create(set.File)
	kit.Must(t, err)
	defer archive.Close()
	w := tar.NewWriter(archive)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	kit.Must(t, w.Close())
	kit.Must(t, set.Load())
	for name, content := range files {
		plant(t, s.at("system/sets", set.Digest, name), content)
	}
	link(t, "sets/"+set.Digest, s.at("system", slot))
	return set
}

func plant(t *testing.T, path, content string) {
	t.Helper()
	kit.Must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	kit.Must(t, os.WriteFile(path, []byte(content), 0o644))
}

func link(t *testing.T, to, name string) {
	t.Helper()
	kit.Must(t, os.Symlink(to, name))
}

// TestChecksFindWhatIsPlanted plants one thing at a time into a system that is in order, and wants exactly that found.
func TestChecksFindWhatIsPlanted(t *testing.T) {
	for _, c := range []struct {
		name  string
		plant func(t *testing.T, s *Soak)
		want  string // in the finding; empty: nothing is found
	}{
		{"nothing", func(*testing.T, *Soak) {}, ""},
		{"a byte of a payload", func(t *testing.T, s *Soak) {
			plant(t, s.at("system/a/hello.nxb/payload.elf"), "program of A")
		}, "slot a: hello.nxb/payload.elf has digest"},
		{"a file of the standby slot that is gone", func(t *testing.T, s *Soak) {
			kit.Must(t, os.Remove(s.at("system/b/hello.nxb/manifest.nxb")))
		}, "slot b: hello.nxb/manifest.nxb has digest"},
		{"half a set", func(t *testing.T, s *Soak) {
			kit.Must(t, os.RemoveAll(s.at("system/b/hello.nxb")))
		}, "slot b: hello.nxb/"},
		{"a file more in a slot", func(t *testing.T, s *Soak) { plant(t, s.at("system/a/hello.nxb/more"), "") },
			"hello.nxb/more is in the slot"},
		{"slots that changed places", func(t *testing.T, s *Soak) {
			s.state.Slots.A, s.state.Slots.B = s.state.Slots.B, s.state.Slots.A
		}, "slot a: it leads to"},
		{"a slot the state says is empty", func(_ *testing.T, s *Soak) { s.state.Slots.B = oracle.Slot{} },
			"slot b: it is empty"},
		{"another confirmed slot", func(_ *testing.T, s *Soak) { s.state.ActiveSlot = "b" }, "its link leads to \"a\""},
		{"a set no link leads to", func(t *testing.T, s *Soak) {
			plant(t, s.at("system/sets/old/"+oracle.IndexFile),
				"")
		}, "set system/sets/old is left over"},
		{"a stage", func(t *testing.T, s *Soak) { plant(t, s.at("system/sets/.stage/"+oracle.IndexFile), "") },
			"set system/sets/.stage is left over"},
		{"a link that got no name", func(t *testing.T, s *Soak) { link(t, "sets/old", s.at("system/a.new")) },
			"system/a.new is left over"},
		{"the socket", func(t *testing.T, s *Soak) { plant(t, s.at("control.sock"), "") }, "control.sock is left over"},
		{"the folder of links", func(t *testing.T, s *Soak) { plant(t, s.at("run/updated"), "") },
			"folder run is left over"},
		{"a file in the folder", func(t *testing.T, s *Soak) { plant(t, s.at("record.tmp"), "") },
			"record.tmp is left over"},
		{"a temporary file", func(t *testing.T, s *Soak) { plant(t, filepath.Join(s.host.Tmp, "x"), "") },
			"x is left over in the folder for temporary files"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plantedSystem(t)
			c.plant(t, s)
			found := append(s.slots(), s.leftovers(false)...)
			switch {
			case c.want == "" && len(found) > 0:
				t.Errorf("found %v in a system that is in order", found)
			case c.want != "" && !mentions(found, c.want):
				t.Errorf("found %v, want %q", found, c.want)
			}
		})
	}
}

func mentions(found []error, text string) bool {
	for _, err := range found {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// TestFindsProcessLeftOver wants a process of a system's session found wherever its parent is, and nothing once it is
// gone.
func TestFindsProcessLeftOver(t *testing.T) {
	s := plantedSystem(t)
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Skipf("no sleep here: %v", err)
	}
	s.host.Sessions = []int{cmd.Process.Pid}
	if found := s.leftovers(false); !mentions(found, "process sleep") {
		t.Errorf("found %v, not the process", found)
	}
	s.host.Kill()
	cmd.Wait()
	if found := s.leftovers(false); len(found) > 0 {
		t.Errorf("found %v after its end", found)
	}
}

// TestFindsSocketLeftOver wants a listener, a connection and a network socket found; unnamed pairs are none of them.
func TestFindsSocketLeftOver(t *testing.T) {
	own, ok := kit.ProcOf(os.Getpid())
	if !ok {
		t.Fatal("cannot look at this process")
	}
	if found := strays(t, own); len(found) > 0 {
		t.Skipf("this process began with sockets: %v", found)
	}
	unix, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	kit.Must(t, err)
	if found := strays(t, own); !mentions(found, "has a socket left over") {
		t.Errorf("found %v, not the listener", found)
	}
	unix.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skipf("no network here: %v", err)
	}
	defer tcp.Close()
	if found := strays(t, own); !mentions(found, "is no unix socket") {
		t.Errorf("found %v, not the network socket", found)
	}
}

func strays(t *testing.T, p kit.Proc) []error {
	t.Helper()
	names, err := unixSockets(nil)
	kit.Must(t, err)
	return wrongSockets(p, names, 0)
}

package damage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"nexus/selftest/console"
	"nexus/selftest/demo"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// The systems that cells begin with, in the order in which they are made. Each is a stand of the one before.
const (
	first = "first" // 1.0.0 in slot a, stopped: later it is below the version floor
	older = "older" // 1.1.0 in slot b, active; slot a has 1.2.0, which was rolled back and is in quarantine
	rest  = "rest"  // 1.3.0 in slot a, active; 1.1.0 in slot b; no set below 1.1.0 may come back
	trial = "trial" // the same, and 1.4.0 in slot b on trial when everything was killed
)

// The sets by their names.
const (
	oldSet, otherSet, badSet, activeSet, trialSet = "1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"
	floor                                         = "1.1.0"
)

// A User is who the system runs as.
type User struct {
	Name string
	Cred *syscall.Credential
}

// users are root and an ordinary user. Only root can be both; anyone else is an ordinary user already.
func users() []User {
	if os.Geteuid() != 0 {
		return []User{{Name: "user"}}
	}
	const nobody = 65534
	return []User{{Name: "root"}, {Name: "user", Cred: &syscall.Credential{Uid: nobody, Gid: nobody}}}
}

// prepare packs the sets, copies the programs to where everybody can run them, and makes the systems cells begin with.
func (c *Campaign) prepare(t testing.TB) {
	kit.Must(t, os.MkdirAll(c.at("sets"), 0o755))
	for _, name := range []string{"nx", "nexus"} {
		kit.Must(t, command("install", "-D", filepath.Join(c.bin, name), c.at("bin", name)))
	}
	for _, name := range []string{oldSet, otherSet, badSet} {
		kit.Must(t, command("cp", filepath.Join(c.demo, "system-v"+name+".nxs"), c.set(name)))
	}
	p := demo.Packer{Bin: c.bin, Key: filepath.Join(c.demo, "keys", "demo")}
	for version, from := range map[string]string{activeSet: oldSet, trialSet: otherSet} {
		kit.Must(t, p.Set(filepath.Join(c.demo, "work", from, "bundles"), version, c.set(version),
			fmt.Sprintf("version_floor = %q", floor)))
	}
	for _, name := range []string{oldSet, otherSet, badSet, activeSet, trialSet} {
		set := &oracle.Set{Name: name, File: c.set(name), Version: name}
		kit.Must(t, set.Load())
		c.sets = append(c.sets, set)
	}
	for _, u := range users() {
		c.base(t, u)
	}
}

// base takes a system through its history and keeps a copy of each stand that cells need.
func (c *Campaign) base(t testing.TB, u User) {
	l := c.newInstance(t, u, filepath.Join("base", u.Name, "system"))
	key := filepath.Join(c.demo, "keys", "demo.pub")
	raw, err := os.ReadFile(key) // an ordinary user may not read the folder of keys
	kit.Must(t, err)
	l.start("--trust", strings.TrimSpace(string(raw)), "--factory", c.set(oldSet))
	for _, stand := range []struct {
		keep    string
		updates []string
	}{{first, nil}, {older, []string{otherSet, badSet}}, {rest, []string{activeSet}}} {
		for _, version := range stand.updates {
			if _, err := l.host.Run("update", c.set(version)); (err == nil) != (version != badSet) {
				t.Fatalf("update to %s: %v", version, err)
			}
		}
		kit.Must(t, l.stop())
		kit.Must(t, command("cp", "-a", l.system(), c.at("base", u.Name, stand.keep)))
		l.start()
	}
	c.baseTrial(t, u, l)
	l.host.Kill()
}

// baseTrial leaves a system in mid-trial, killed. Services have to run so long that the kill comes before the verdict.
func (c *Campaign) baseTrial(t testing.TB, u User, l *instance) {
	kit.Must(t, l.stop())
	l.start("--settle", "2s")
	l.nx("stage", c.set(trialSet))
	mark := l.host.Shown()
	l.nx("switch")
	sees := func(text string) bool { return console.Count(l.host.Since(mark), text) > 0 }
	kit.Must(t, kit.Within(kit.StartBound, "the trial", func() bool { return sees("bundlemgrd: slot b active") }))
	l.kill()
	if sees("init: health ok (slot b)") {
		t.Fatal("the verdict came before the kill")
	}
	kit.Must(t, command("cp", "-a", l.system(), c.at("base", u.Name, trial)))
}

func (c *Campaign) at(parts ...string) string {
	return filepath.Join(append([]string{c.dir}, parts...)...)
}

func (c *Campaign) set(version string) string { return c.at("sets", version+".nxs") }

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("cannot run %s %q: %w: %s", name, args, err, out)
	}
	return err
}

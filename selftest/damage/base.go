package damage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

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
func (c *Campaign) prepare() error {
	if err := os.MkdirAll(c.at("sets"), 0o755); err != nil {
		return err
	}
	for _, name := range []string{"nx", "nexus"} {
		if err := command("install", "-D", filepath.Join(c.bin, name), c.at("bin", name)); err != nil {
			return err
		}
	}
	for _, name := range []string{oldSet, otherSet, badSet} {
		if err := command("cp", filepath.Join(c.demo, "system-v"+name+".nxs"), c.set(name)); err != nil {
			return err
		}
	}
	p := demo.Packer{Bin: c.bin, Key: filepath.Join(c.demo, "keys", "demo")}
	for version, from := range map[string]string{activeSet: oldSet, trialSet: otherSet} {
		if err := p.Set(filepath.Join(c.demo, "work", from, "bundles"), version, c.set(version),
			fmt.Sprintf("version_floor = %q", floor)); err != nil {
			return err
		}
	}
	if err := c.load(); err != nil {
		return err
	}
	for _, u := range users() {
		if err := c.base(u); err != nil {
			return fmt.Errorf("as %s: %w", u.Name, err)
		}
	}
	return nil
}

// load reads what the sets hold.
func (c *Campaign) load() error {
	c.sets = oracle.Sets{}
	for _, name := range []string{oldSet, otherSet, badSet, activeSet, trialSet} {
		set := &oracle.Set{Name: name, File: c.set(name), Version: name}
		if err := set.Load(); err != nil {
			return err
		}
		c.sets = append(c.sets, set)
	}
	return nil
}

// base takes a system through its history and keeps a copy of each stand that cells need.
func (c *Campaign) base(u User) error {
	l, err := c.newInstance(u, filepath.Join("base", u.Name, "system"))
	if err != nil {
		return err
	}
	defer l.host.Kill()
	key := filepath.Join(c.demo, "keys", "demo.pub")
	raw, err := os.ReadFile(key) // an ordinary user may not read the folder of keys
	if err != nil {
		return err
	}
	if err := l.start("--trust", strings.TrimSpace(string(raw)), "--factory", c.set(oldSet)); err != nil {
		return err
	}
	for _, stand := range []struct {
		keep    string
		updates []string
	}{{first, nil}, {older, []string{otherSet, badSet}}, {rest, []string{activeSet}}} {
		for _, version := range stand.updates {
			if _, err := l.host.Run("update", c.set(version)); (err == nil) != (version != badSet) {
				return fmt.Errorf("update to %s: %w", version, err)
			}
		}
		if err := l.stop(); err != nil {
			return err
		}
		if err := command("cp", "-a", l.system(), c.at("base", u.Name, stand.keep)); err != nil {
			return err
		}
		if err := l.start(); err != nil {
			return err
		}
	}
	return c.baseTrial(u, l)
}

// baseTrial leaves a system in mid-trial, killed. Services have to run so long that the kill comes before the verdict.
func (c *Campaign) baseTrial(u User, l *instance) error {
	if err := l.stop(); err != nil {
		return err
	}
	if err := l.start("--settle", "2s"); err != nil {
		return err
	}
	if _, err := l.host.Run("stage", c.set(trialSet)); err != nil {
		return err
	}
	mark := l.host.Shown()
	if _, err := l.host.Run("switch"); err != nil {
		return err
	}
	sees := func(text string) bool { return console.Count(l.host.Since(mark), text) > 0 }
	err := kit.Within(kit.StartBound, "the trial", func() bool { return sees("bundlemgrd: slot b active") })
	if err != nil {
		return err
	}
	if err := l.kill(); err != nil || sees("init: health ok (slot b)") {
		return fmt.Errorf("the verdict came first, or the kill failed: %w", err)
	}
	return command("cp", "-a", l.system(), c.at("base", u.Name, trial))
}

func (c *Campaign) at(parts ...string) string {
	return filepath.Join(append([]string{c.dir}, parts...)...)
}

func (c *Campaign) set(version string) string { return c.at("sets", version+".nxs") }

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot run %s %q: %w: %s", name, args, err, out)
	}
	return nil
}

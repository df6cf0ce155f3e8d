package plat_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nexus/daemons/plat"
)

// payload runs a host's program from sealed memory as execd runs a bundle's, and returns what it prints and how it
// ended.
func payload(t *testing.T, path string, dynamic bool, argv ...string) (string, plat.Exit) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("needs %s: %v", path, err)
	}
	sealed, err := plat.SealedMemory("payload", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	defer sealed.Close()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c := plat.PayloadConfinement(plat.FirstPayloadUser, dynamic)
	p, err := plat.NewSpawner().Spawn(plat.Command{
		Path: plat.ByDescriptor(sealed), File: sealed, Argv: argv, Dir: "/", Stdout: in, Stderr: in,
		DieWithParent: true, Confinement: &c,
	})
	in.Close()
	if err != nil {
		return err.Error(), plat.Exit{Code: -1}
	}
	exit := ended(t, p)
	text, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), exit
}

// hostProgram is a dynamic program of this host, as its distribution built it.
const hostProgram = "/bin/cat"

func on(t *testing.T, measures ...string) {
	t.Helper()
	for _, m := range plat.PayloadConfinement(plat.FirstPayloadUser, false).Measures() {
		if slices.Contains(measures, m.Name) && !m.On {
			t.Skipf("this machine cannot give %v", m)
		}
	}
}

func TestDynamicPayloadStarts(t *testing.T) {
	f, err := os.Open(hostProgram)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	if !plat.Dynamic(f) {
		t.Skipf("%s names no loader here", hostProgram)
	}
	if text, exit := payload(t, hostProgram, true, "cat", "/dev/null"); !exit.OK() || text != "" {
		t.Errorf("with the machine's libraries: %v, %q", exit, text)
	}
	// What the loader may read and execute is no way to anything else.
	on(t, plat.MeasurePaths)
	if text, exit := payload(t, hostProgram, true, "cat", "/etc/passwd"); exit.Code != 1 ||
		!strings.Contains(text, "Permission denied") {
		t.Errorf("reading a file: %v, %q", exit, text)
	}
	if text, exit := payload(t, hostProgram, false, "cat", "/dev/null"); exit.OK() ||
		!strings.Contains(text, "cannot start cat: permission denied") {
		t.Errorf("without them: %v, %q", exit, text)
	}
}

func TestDynamicIsWhatNamesALoader(t *testing.T) {
	for _, program := range []string{"", "\x7fELF", strings.Repeat("\xff", 64), elf.ELFMAG + "\x02\x01\x01" +
		strings.Repeat("\x00", 57)} {
		if plat.Dynamic(strings.NewReader(program)) {
			t.Errorf("%q is dynamic", program)
		}
	}
	own, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	plat.Dynamic(own) // either way, by how the tests were built
}

// Each bundle of a set has a user of its own, by its name; where two names meet, the later one in byte order moves on,
// whatever their order.
func TestPayloadUsers(t *testing.T) {
	var names []string
	for i := range 4000 { // with so many, some meet
		names = append(names, fmt.Sprintf("bundle-%d", i))
	}
	all := plat.UserRange{First: plat.FirstPayloadUser, Count: 1 << 16}
	users := all.Users(names, nil)
	seen := map[uint32]string{}
	for name, user := range users {
		if user < plat.FirstPayloadUser || user >= plat.FirstPayloadUser+1<<16 {
			t.Errorf("%s has user %d, outside of the range", name, user)
		}
		if other, taken := seen[user]; taken {
			t.Errorf("%s and %s share user %d", name, other, user)
		}
		seen[user] = name
	}
	slices.Reverse(names)
	for name, user := range all.Users(append(names, names[0]), nil) {
		if users[name] != user {
			t.Errorf("%s has user %d in one order and %d in another", name, users[name], user)
		}
	}
	if a, b := all.Users([]string{"hello"}, nil), all.Users([]string{"hello", "ticker"}, nil); a["hello"] != b["hello"] {
		t.Errorf("hello has user %d alone and %d beside another", a["hello"], b["hello"])
	}
}

// A measure that the machine can give and that fails keeps the process from being started.
func TestNoStartWithoutItsConfinement(t *testing.T) {
	on(t, plat.MeasurePaths)
	c := plat.Confinement{Calls: plat.CallsPayload,
		Paths: []plat.PathRule{{Path: "/does/not/exist", Access: plat.Read}}}
	_, err := plat.NewSpawner().Spawn(plat.Command{Path: hostProgram, Argv: []string{"ghost"}, Dir: "/",
		Confinement: &c})
	if err == nil ||
		err.Error() != "cannot start ghost: cannot confine: paths: /does/not/exist: no such file or directory" {
		t.Errorf("got %v", err)
	}
}

// A process whose calls are not declared is not started.
func TestUnknownCallsAreRefused(t *testing.T) {
	c := plat.PayloadConfinement(0, true)
	c.Calls = "everything"
	_, err := plat.NewSpawner().Spawn(plat.Command{Path: hostProgram, Argv: []string{"cat"}, Dir: "/", Confinement: &c})
	if err == nil || err.Error() != `cannot start cat: cannot confine: calls: no set is named "everything"` {
		t.Errorf("got %v", err)
	}
}

func TestSettleWantsAStarter(t *testing.T) {
	if err := plat.Settle(false); err == nil || err.Error() != "cannot settle: not confined by who started it" {
		t.Errorf("got %v", err)
	}
}

func TestMeasuresSayWhy(t *testing.T) {
	var names []string
	c := plat.Confinement{Calls: plat.CallsSpawner, Groups: (&plat.Delegation{}).Measure()}
	for _, m := range c.Measures() {
		names = append(names, m.Name)
		if m.Detail == "" {
			t.Errorf("%s says nothing", m.Name)
		}
	}
	if want := []string{
		plat.MeasureNetwork, plat.MeasureUser, plat.MeasureCapabilities, plat.MeasurePrivileges, plat.MeasurePaths,
		plat.MeasureSignals, plat.MeasureCalls, plat.MeasureLimits, plat.MeasureGroup,
	}; !slices.Equal(names, want) {
		t.Errorf("got %v", names)
	}
}

// The files of a directory go to its user once; what has been the user's is left alone, and a link is not followed.
func TestOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	for _, path := range []string{filepath.Join(dir, "file"), outside} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	owner := func(path string) uint32 {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Uid
	}
	if err := plat.Share(dir, 7); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "file")); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("shared: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("outside: %v, %v", info.Mode(), err)
	}
	if err := plat.Own(dir, 7); err != nil {
		t.Fatal(err)
	}
	if owner(dir) != 7 || owner(filepath.Join(dir, "file")) != 7 || owner(outside) != 0 {
		t.Errorf("owners: %d, %d, outside %d", owner(dir), owner(filepath.Join(dir, "file")), owner(outside))
	}
	if err := os.WriteFile(filepath.Join(dir, "later"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := plat.Own(dir, 7); err != nil || owner(filepath.Join(dir, "later")) != 0 {
		t.Errorf("a file in a folder that was given away: owner %d, %v", owner(filepath.Join(dir, "later")), err)
	}
}

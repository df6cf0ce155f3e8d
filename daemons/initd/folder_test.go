package initd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nexus/daemons/plat"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// intruders are things that may be where something of the system's should be.
func intruders(outside string) map[string]func(path string) error {
	return map[string]func(string) error{
		"a file":   func(p string) error { return os.WriteFile(p, []byte("precious"), 0o600) },
		"a folder": func(p string) error { return os.MkdirAll(p+"/below", 0o700) },
		"a link":   func(p string) error { return os.Symlink(outside, p) },
		"a FIFO":   func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"a socket": func(p string) error { return syscall.Mknod(p, syscall.S_IFSOCK|0o600, 0) },
	}
}

// made returns a folder that a system has used: with a key, and something in a slot.
func made(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "sys")
	f := mustOpen(t, dir, true)
	must(t, f.addTrust(key().Text()))
	must(t, os.Symlink("sets/x", f.at("system/a")))
	f.clear()
	return dir
}

func key() trust.PublicKey { return updatestest.Key(1).Public() }

func mustOpen(t *testing.T, dir string, keysGiven bool) *folder {
	t.Helper()
	f, err := openFolder(dir, nil, keysGiven)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// opening does all that a start does with the folders, and gives them back.
func opening(dir, state string, keys ...string) (found []finding, err error) {
	f, err := openFolder(dir, nil, len(keys) > 0)
	if err != nil {
		return nil, err
	}
	defer f.clear()
	for _, key := range keys {
		if err := f.addTrust(key); err != nil {
			return nil, err
		}
	}
	if err := f.checkTrust(); err != nil {
		return nil, err
	}
	s, err := openState(state, nil, f)
	if err != nil {
		return nil, err
	}
	defer s.close()
	socket, err := listen(f)
	if err != nil {
		return nil, err
	}
	socket.remove()
	return f.found, nil
}

// What can be made anew is, and what was there instead is kept under another name and said.
func TestWhatIsInTheWayIsSetAside(t *testing.T) {
	key, given := key().String(), key().Text()
	for name, c := range map[string]struct {
		want string   // the kind that belongs there
		keys []string // from the command line
	}{
		"lock":                         {"a file", nil},
		"control.sock":                 {"a socket", nil},
		"run":                          {"a folder", nil},
		"trust/apps":                   {"a folder", nil},
		"trust/system":                 {"a folder", []string{given}},
		"trust":                        {"a folder", []string{given}},
		"trust/system/" + key + ".pub": {"a file", []string{given}},
	} {
		for kind, place := range intruders(t.TempDir()) {
			if kind == c.want {
				continue
			}
			t.Run(strings.ReplaceAll(name, "/", " ")+" "+kind, func(t *testing.T) {
				dir := made(t)
				must(t, os.RemoveAll(filepath.Join(dir, name)))
				must(t, place(filepath.Join(dir, name)))
				found, err := opening(dir, "", c.keys...)
				want := finding{fmt.Sprintf("%s was %s: set aside as %s.set-aside.1", name, kind, name), true}
				if err != nil || !slices.Contains(found, want) {
					t.Fatalf("found %v, %v; want %v", found, err, want)
				}
				if _, err := os.Lstat(filepath.Join(dir, name+".set-aside.1")); err != nil {
					t.Error(err)
				}
				if found, err := opening(dir, "", c.keys...); err != nil || len(found) > 0 {
					t.Errorf("the next start finds %v, %v", found, err)
				}
			})
		}
	}
}

// What the set that runs cannot do without ends the start: the line names what is there, what it is, and what can be
// done.
func TestWhatIsNeededEndsTheStart(t *testing.T) {
	for name, remedy := range map[string]string{
		"system":       "put the folder back, or move this away to begin without sets",
		"state":        "put the folder back, or name the one that holds the state with --state",
		"trust":        "put the folder back, or give the keys with --trust",
		"trust/system": "put the folder back, or give the keys with --trust",
	} {
		for kind, place := range intruders(t.TempDir()) {
			if kind == "a folder" {
				continue
			}
			t.Run(strings.ReplaceAll(name, "/", " ")+" "+kind, func(t *testing.T) {
				dir := made(t)
				path := filepath.Join(dir, name)
				must(t, os.RemoveAll(path))
				must(t, place(path))
				_, err := opening(dir, Config{Dir: dir}.state())
				if want := fmt.Sprintf("cannot use %s: it is %s, not a folder: %s", path, kind, remedy); err == nil ||
					err.Error() != want {
					t.Errorf("got %v, want %s", err, want)
				}
				if info, err := os.Lstat(path); err != nil || info.IsDir() {
					t.Errorf("it was not left as it was: %v, %v", info, err)
				}
			})
		}
	}
}

func TestTheFolderItselfMayBeNone(t *testing.T) {
	for kind, place := range intruders("/nowhere/at/all") {
		if kind == "a folder" {
			continue
		}
		for _, flag := range []string{"--dir", "--state"} {
			path := filepath.Join(t.TempDir(), "x")
			must(t, place(path))
			dir, state := path, ""
			if flag == "--state" {
				dir, state = filepath.Join(t.TempDir(), "sys"), path
			}
			_, err := opening(dir, state)
			cause := "it is " + kind + ", not a folder"
			if kind == "a link" {
				cause = "it is a link that leads nowhere"
			}
			if want := fmt.Sprintf("cannot use %s: %s: name another folder with %s", path, cause, flag); err == nil ||
				err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
}

// A dangling link where the state was is no reason to run without what was to be remembered.
func TestALostStateIsNoMissingState(t *testing.T) {
	dir := made(t)
	must(t, os.Symlink("nowhere", filepath.Join(dir, "state")))
	if state := (Config{Dir: dir}).state(); state != filepath.Join(dir, "state") {
		t.Errorf("the state is %q", state)
	}
}

// A folder that an operator names may be behind links, both the system's and that of the state.
func TestAnOperatorsPathMayLeadThroughLinks(t *testing.T) {
	dir, state := made(t), t.TempDir()
	ways := t.TempDir()
	must(t, os.Symlink(dir, ways+"/sys"))
	must(t, os.Symlink(state, ways+"/state"))
	if found, err := opening(ways+"/sys", ways+"/state"); err != nil || len(found) > 0 {
		t.Errorf("found %v, %v", found, err)
	}
}

// Nothing outside changes, wherever links in the folder lead, as the folders are given to daemons.
func TestNothingOutsideIsGivenAway(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(outside+"/file", nil, 0o600))
	must(t, os.Chmod(outside, 0o700))
	for _, name := range []string{"run", "trust/apps", "trust/apps/x", "system/b", "system/x", "control.sock", "lock"} {
		dir := made(t)
		must(t, os.RemoveAll(filepath.Join(dir, name)))
		must(t, os.Symlink(outside, filepath.Join(dir, name)))
		f := mustOpen(t, dir, false)
		dirs := map[string]*os.File{}
		for _, name := range []string{systemDir, trustDir} {
			opened, err := f.below(name)
			must(t, err)
			dirs[name] = opened
		}
		if _, err := ownAll(dirs); err != nil {
			t.Error(err)
		}
		for _, opened := range dirs {
			opened.Close()
		}
		f.clear()
		for path, want := range map[string]fs.FileMode{outside: fs.ModeDir | 0o700, outside + "/file": 0o600} {
			info, err := os.Lstat(path)
			if err != nil || info.Mode() != want || int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
				t.Errorf("with %s a link: %s is %v, %v", name, path, info, err)
			}
		}
		if names, err := os.ReadDir(outside); err != nil || len(names) != 1 {
			t.Errorf("with %s a link: outside is %v, %v", name, names, err)
		}
	}
}

// What its owner may not use is opened, and said.
func TestClosedFoldersAreOpened(t *testing.T) {
	for _, name := range []string{".", "lock", "run", "system", "trust", "trust/system", "trust/apps"} {
		dir := made(t)
		must(t, os.MkdirAll(filepath.Join(dir, "run", "x"), 0o700))
		must(t, os.Chmod(filepath.Join(dir, name), 0))
		found, err := opening(dir, "")
		if err != nil || len(found) != 1 || !found[0].mended {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
	}
}

// A stranger's folder is his: who runs the system is told, before anything is done.
func TestAStrangersFolderEndsTheStart(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving a folder to a stranger needs root")
	}
	for _, name := range []string{"", "system", "trust", "trust/system", "trust/apps", "state"} {
		dir := made(t)
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(path, 0o700))
		must(t, os.Lchown(path, 4711, 4711))
		_, err := opening(dir, Config{Dir: dir}.state())
		want := fmt.Sprintf(
			"cannot use %s: it belongs to user 4711, and this system runs as user 0: start it as that user, or give it to this one (chown -R 0 %s)",
			path, path)
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A folder that belongs to a daemon is that of a system that root runs.
func TestADaemonsFolderIsRoots(t *testing.T) {
	self := uint32(os.Geteuid())
	err := checkOwner("state", plat.FirstDaemonUser+7, self)
	want := fmt.Sprintf("cannot use state: it belongs to user %d, and this system runs as user %d: start it as root, "+
		"or give it to this one (chown -R %d state)", plat.FirstDaemonUser+7, self, self)
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := checkOwner("state", plat.FirstDaemonUser+7, plat.FirstDaemonUser+7); err != nil {
		t.Errorf("its own daemon's: %v", err)
	}
}

// Without any key no set could be verified; a system that has none yet may begin without.
func TestSetsNeedAKey(t *testing.T) {
	dir := made(t)
	must(t, os.Remove(filepath.Join(dir, systemKeys, key().String()+".pub")))
	_, err := opening(dir, "")
	if err == nil || !strings.HasPrefix(err.Error(), "cannot use "+filepath.Join(dir, systemKeys)+": it holds no key") {
		t.Errorf("got %v", err)
	}
	if _, err := opening(dir, "", key().Text()); err != nil {
		t.Errorf("with a key from the command line: %v", err)
	}
	if _, err := opening(filepath.Join(t.TempDir(), "new"), ""); err != nil {
		t.Errorf("a new system: %v", err)
	}
}

// Whoever serves the control socket runs, whatever became of the lock.
func TestALostLockIsNoMissingSystem(t *testing.T) {
	dir := made(t)
	f := mustOpen(t, dir, false)
	defer f.clear()
	socket, err := listen(f)
	must(t, err)
	defer socket.remove()
	must(t, os.Remove(filepath.Join(dir, lockFile)))
	if _, err := opening(dir, ""); !errors.Is(err, errAlreadyRunning) {
		t.Errorf("got %v", err)
	}
}

// A shared socket in the system's own folder gets its name; one that is behind a link there is not made.
func TestASharedSocketInTheFolder(t *testing.T) {
	outside := t.TempDir()
	for kind, place := range intruders(outside) {
		dir := made(t)
		must(t, place(filepath.Join(dir, "status.sock")))
		f := mustOpen(t, dir, false)
		socket, err := f.share(Share{"status", filepath.Join(dir, "status.sock")})
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		socket.remove()
		must(t, os.Symlink(outside, filepath.Join(dir, "sub")))
		if _, err := f.share(Share{"status", filepath.Join(dir, "sub", "status.sock")}); err == nil {
			t.Error("a socket was made behind a link")
		}
		f.clear()
	}
}

// Keys and a policy that are given at every start are written once, so that a start on a full disk needs no space.
func TestWhatIsKeptIsNotWrittenAgain(t *testing.T) {
	f := mustOpen(t, filepath.Join(t.TempDir(), "sys"), true)
	defer f.clear()
	text := []byte("# nothing is granted\n")
	give := func() { must(t, errors.Join(f.addTrust(key().Text()), f.keepPolicy(text))) }
	files := []string{keyFile(trust.RoleSystem, key()), policyFile}
	give()
	for _, name := range files {
		before, err := os.Stat(f.at(name))
		must(t, err)
		give()
		if after, err := os.Stat(f.at(name)); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s was written again: %v", name, err)
		}
		for _, other := range []string{"", "other", "other\n" + strings.Repeat("x", 100)} {
			must(t, os.WriteFile(f.at(name), []byte(other), 0o600))
			give()
			if got, err := os.ReadFile(f.at(name)); err != nil || string(got) == other {
				t.Errorf("%s holds %q: %v", name, got, err)
			}
		}
	}
}

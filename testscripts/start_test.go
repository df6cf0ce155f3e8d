package testscripts

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// upIn is `nx up` in a folder, with the demo's first set.
func upIn(ctx context.Context, dir string) *exec.Cmd {
	return exec.CommandContext(ctx, filepath.Join(shared.bin(), "nx"), "--dir", dir, "up", "--settle", "200ms",
		"--trust", filepath.Join(shared.demo(), "keys", "demo.pub"), "--factory",
		filepath.Join(shared.demo(), "system-v1.0.0.nxs"))
}

// A user namespace has the users that somebody lent it: one, or as many as a user is usually lent. Those of the daemons
// are not among them. The system runs there too, and says what is less.
func TestInAUserNamespace(t *testing.T) {
	t.Parallel()
	for name, users := range map[string]syscall.SysProcIDMap{
		"one user":   {ContainerID: 0, HostID: os.Geteuid(), Size: 1},
		"lent users": {ContainerID: 0, HostID: 100000, Size: 65536},
	} {
		t.Run(name, func(t *testing.T) {
			if users.Size > 1 && os.Geteuid() != 0 {
				t.Skip("a namespace with users that are not one's own needs root")
			}
			ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
			defer cancel()
			dir := reachable(t, users.HostID)
			cmd := upIn(ctx, filepath.Join(dir, "sys"))
			groups := users
			if users.Size == 1 {
				groups.HostID = os.Getegid()
			}
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{users}, GidMappings: []syscall.SysProcIDMap{groups},
				GidMappingsEnableSetgroups: users.Size > 1,
				Credential:                 &syscall.Credential{NoSetGroups: users.Size == 1},
			}
			console := started(t, cmd)
			console.await(t, "init: health ok (slot a)",
				`measure=user reason="needs root, and users that a user namespace may lack"`)
			cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

// reachable is a folder of that user, in one that every user may walk through.
func reachable(t *testing.T, owner int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nexus-namespace")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, open := range []string{shared.root, shared.demo(), filepath.Join(shared.demo(), "keys"), dir} {
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if owner == os.Geteuid() {
		return dir
	}
	if err := os.Chown(dir, owner, owner); err != nil {
		t.Fatal(err)
	}
	return dir
}

// With so few descriptors no daemon can be started. That ends the start, with one line that says so, after some tries.
func TestWithoutDescriptors(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{10, 16, 32} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
			defer cancel()
			up := upIn(ctx, filepath.Join(t.TempDir(), "sys"))
			cmd := exec.CommandContext(ctx, "sh",
				append([]string{"-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, limit)}, up.Args...)...)
			console := started(t, cmd)
			last := console.last()
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("it ended with %v", err)
			}
			if !strings.HasPrefix(last, "nx: cannot ") || !strings.Contains(last, "too many open files") {
				t.Errorf("it ended with the line %q", last)
			}
		})
	}
}

// A consoleOf is what a process says.
type consoleOf struct {
	lines chan string
	all   strings.Builder
}

// started starts a command that ends with the test.
func started(t *testing.T, cmd *exec.Cmd) *consoleOf {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	err = cmd.Start()
	in.Close()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		out.Close()
		t.Skip("this machine makes no user namespaces: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &consoleOf{lines: make(chan string, 1024)}
	go func() {
		defer out.Close()
		defer close(c.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			c.lines <- scanner.Text()
		}
		io.Copy(io.Discard, out)
	}()
	return c
}

// await reads until each of these was said. The end of the process is the end of the wait.
func (c *consoleOf) await(t *testing.T, words ...string) {
	t.Helper()
	for line := range c.lines {
		fmt.Fprintln(&c.all, line)
		words = slices.DeleteFunc(words, func(word string) bool { return strings.Contains(line, word) })
		if len(words) == 0 {
			return
		}
	}
	t.Fatalf("the process ended without %q:\n%s", words, c.all.String())
}

// last reads to the end and returns the last line.
func (c *consoleOf) last() (line string) {
	for line = range c.lines {
		fmt.Fprintln(&c.all, line)
	}
	return line
}

// Two systems on one machine give bundles of one name different users: the processes of a user are counted, and what
// one system's bundle uses up the other's would lack.
func TestUsersOfTwoSystems(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("bundles have users of their own only where root starts the system")
	}
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	systems := map[int]string{}
	for range 2 {
		dir := filepath.Join(t.TempDir(), "sys")
		cmd := upIn(ctx, dir)
		started(t, cmd).await(t, "init: health ok (slot a)")
		defer func() {
			cmd.Process.Signal(syscall.SIGTERM)
			cmd.Wait()
		}()
		user := userOfBundle(t, dir, "hello")
		if user < firstBundleUser {
			t.Skipf("this machine gives bundles no users of their own: hello runs as %d", user)
		}
		if other, taken := systems[user]; taken {
			t.Errorf("hello runs as user %d in %s and in %s", user, other, dir)
		}
		systems[user] = dir
	}
}

// firstBundleUser is the first of the users that are for bundles (docs/security.md).
const firstBundleUser = 1048576

// userOfBundle is the user that a bundle's program runs as.
func userOfBundle(t *testing.T, dir, bundle string) int {
	t.Helper()
	var services oracle.Roll
	kit.Must(t, kit.NX{Bin: shared.bin(), Dir: dir}.Ask(&services, "services"))
	for _, s := range services.Services {
		if s.Name != bundle {
			continue
		}
		info, err := os.Stat(fmt.Sprintf("/proc/%d", s.PID))
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Sys().(*syscall.Stat_t).Uid)
	}
	t.Fatalf("no %s among %+v", bundle, services)
	return 0
}

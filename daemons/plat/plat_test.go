package plat_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/daemons/plat"
)

// limit ends a wait of these tests that hangs.
const limit = 5 * time.Minute

func TestSealedMemoryCannotChange(t *testing.T) {
	f, err := plat.SealedMemory("program", strings.NewReader("text"), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("X"), 0); err == nil {
		t.Error("a sealed file was written")
	}
	if err := f.Truncate(2); err == nil {
		t.Error("a sealed file was cut")
	}
	if f.Fd() < 64 {
		t.Errorf("its descriptor is %d, where a child's could be", f.Fd())
	}
	for _, size := range []int64{3, 5} {
		if _, err := plat.SealedMemory("program", strings.NewReader("text"), size); err == nil {
			t.Errorf("4 bytes were taken for %d", size)
		}
	}
}

// spawn runs a shell script and returns the process and what it prints.
func spawn(t *testing.T, script string, extra ...*os.File) (plat.Process, *bufio.Reader) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	t.Cleanup(func() { out.Close() })
	p, err := plat.NewSpawner().Spawn(plat.Command{
		Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Env: []string{"ONLY=this"}, Dir: "/", Stdout: in,
		Stderr: in, Extra: extra,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill(); <-p.Done() })
	return p, bufio.NewReader(out)
}

func ended(t *testing.T, p plat.Process) plat.Exit {
	t.Helper()
	select {
	case <-p.Done():
		return p.Exit()
	case <-time.After(limit):
		t.Fatal("the process does not end")
		return plat.Exit{}
	}
}

func TestExit(t *testing.T) {
	for _, c := range []struct {
		script string
		want   plat.Exit
		text   string
		ok     bool
	}{
		{"exit 0", plat.Exit{}, "exit code 0", true},
		{"exit 3", plat.Exit{Code: 3}, "exit code 3", false},
		{"kill -9 $$", plat.Exit{Signal: 9}, "signal 9 (killed)", false},
	} {
		p, _ := spawn(t, c.script)
		if got := ended(t, p); got != c.want || got.String() != c.text || got.OK() != c.ok {
			t.Errorf("%s: got %v (%q, ok %v)", c.script, got, got, got.OK())
		}
	}
}

func TestChildGetsExactlyWhatItIsGiven(t *testing.T) {
	stray, err := syscall.Open(os.DevNull, os.O_RDONLY, 0) // inheritable, as what a careless parent leaves open
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(stray)
	a, b, err := plat.StreamPair()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	p, out := spawn(t, `env | grep -v -e ^PWD= -e ^SHLVL= -e ^_=; exec ls /proc/self/fd`, b)
	ended(t, p)
	got, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	// 4 is the directory that ls itself reads.
	if want := "ONLY=this\n0\n1\n2\n3\n4\n"; string(got) != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestKillTakesTheGroup(t *testing.T) {
	p, out := spawn(t, `sleep 1000 & echo $!; wait`)
	_, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	ended(t, p)
	if _, err := out.ReadByte(); !errors.Is(err, io.EOF) { // ends when the last holder of the pipe does
		t.Errorf("the grandchild still has its output: %v", err)
	}
	p.Kill() // no effect, no harm
}

func TestTerminate(t *testing.T) {
	p, out := spawn(t, `trap 'exit 7' TERM; echo ready; while :; do sleep 1000 & wait $!; done`)
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	p.Terminate()
	if got := ended(t, p); got.Code != 7 {
		t.Errorf("got %v", got)
	}
}

func TestSpawnRefusesWhatIsNotThere(t *testing.T) {
	_, err := plat.NewSpawner().Spawn(plat.Command{Path: "/does/not/exist", Argv: []string{"ghost"}, Dir: "/"})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot start ghost: ") {
		t.Errorf("got %v", err)
	}
}

func TestUnread(t *testing.T) {
	a, b, err := plat.StreamPair()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	conn, err := net.FileConn(a)
	a.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	unread := func() int {
		n, err := plat.Unread(conn.(*net.UnixConn))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if unread() != 0 {
		t.Error("something is unread before anything was written")
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if unread() == 0 {
		t.Error("nothing is unread though nobody read")
	}
	if _, err := io.ReadFull(b, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if unread() != 0 {
		t.Error("something is unread though all was read")
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first, second := open(), open()
	defer second.Close()
	if err := plat.Lock(first); err != nil {
		t.Fatal(err)
	}
	if err := plat.Lock(second); !errors.Is(err, plat.ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	first.Close()
	if err := plat.Lock(second); err != nil {
		t.Errorf("after the first was given up: %v", err)
	}
}

func TestListenPrivateWhereverTheFolderIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 40))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "control.sock")
	listener, err := plat.ListenPrivate(path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || info.Mode()&os.ModeSocket == 0 {
		t.Errorf("its mode is %v", info.Mode())
	}
	conn, err := plat.DialPath(path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// The modes of sockets do not depend on the umask, and what other goroutines make meanwhile keeps its own.
func TestListenLeavesTheUmaskAlone(t *testing.T) {
	dir := t.TempDir()
	over, made := make(chan struct{}), make(chan error, 1)
	go func() {
		var wrong error
		for i := 0; ; i++ {
			select {
			case <-over:
				made <- wrong
				return
			default:
			}
			name := filepath.Join(dir, fmt.Sprint("folder", i%8))
			wrong = errors.Join(wrong, os.Mkdir(name, 0o700))
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o700 {
				wrong = errors.Join(wrong, err, fmt.Errorf("%s has the mode %v", name, info.Mode()))
			}
			wrong = errors.Join(wrong, os.Remove(name))
		}
	}()
	for mode, listen := range map[os.FileMode]func(string) (net.Listener, error){
		0o600: plat.ListenPrivate, 0o660: plat.ListenShared,
	} {
		for i := range 200 {
			path := filepath.Join(dir, fmt.Sprint(mode, i))
			listener, err := listen(path)
			if err != nil {
				t.Fatal(err)
			}
			listener.Close()
			if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeSocket|mode {
				t.Fatalf("got %v, %v, want mode %v", info, err, mode)
			}
		}
	}
	close(over)
	if err := <-made; err != nil {
		t.Error(err)
	}
}

func TestPacketPairEndsWithItsOtherSide(t *testing.T) {
	a, b, err := plat.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := a.Write([]byte("one")); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("two")); err != nil {
		t.Fatal(err)
	}
	a.Close()
	packet := make([]byte, 16)
	for _, want := range []string{"one", "two", ""} {
		n, err := syscall.Read(int(b.Fd()), packet)
		if err != nil || string(packet[:n]) != want {
			t.Errorf("got %q, %v, want %q", packet[:n], err, want)
		}
	}
}

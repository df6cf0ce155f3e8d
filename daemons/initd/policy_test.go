package initd

import (
	"errors"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/daemons/initd/machine"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/policy"
	"nexus/libupdates/powers"
	"nexus/libupdates/refusal"
)

const webPolicy = "[[allow]]\npublisher = \"*\"\nbundle = \"web\"\npowers = [\"net.listen:tcp/*\"]\n"

// judgeIn opens the judge of a folder, with a log that nobody reads.
func judgeIn(t *testing.T, dir string) *judge {
	t.Helper()
	f := mustOpen(t, dir, true)
	t.Cleanup(f.clear)
	log := logclient.New("test", vat.NewHolding("LogSink"))
	return openJudge(f, nil, &treeView{path: "/trees"}, log)
}

// grants reports whether a bundle gets a port.
func (j *judge) grants(bundle string, port uint16) bool {
	all := j.decide(key(), []policy.Asking{{Bundle: bundle, Powers: []string{listenOn(port).String()}}})
	return len(all) == 1 && all[0].Granted()
}

func TestPolicyIsKept(t *testing.T) {
	dir := made(t)
	j := judgeIn(t, dir)
	if j.grants("web", 8080) {
		t.Error("something is granted without a policy")
	}
	if _, err := j.set([]byte(webPolicy)); err != nil || !j.grants("web", 8080) || j.grants("other", 8080) {
		t.Fatalf("the policy does not count: %v", err)
	}
	if _, err := j.set([]byte(webPolicy + "limit = 99\n")); refusal.Of(err) != refusal.BadPolicy || !j.grants("web", 8080) {
		t.Errorf("a policy with an error: %v", err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, policyFile))
	if err != nil || string(raw) != webPolicy {
		t.Errorf("the file is %q, %v", raw, err)
	}
	j.folder.clear()
	j = judgeIn(t, dir)
	if _, text := j.now(); string(text) != webPolicy || !j.grants("web", 8080) {
		t.Errorf("after a restart the policy is %q", text)
	}
	if _, err := j.set(nil); err != nil || j.grants("web", 8080) {
		t.Errorf("the policy was not removed: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, policyFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

// Whatever is in the place of the policy grants nothing, and holds up nothing.
func TestPolicyThatIsNone(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "policy.toml")
	must(t, os.WriteFile(outside, []byte(webPolicy), 0o644))
	all := intruders(outside)
	all["too much"] = func(p string) error {
		return os.WriteFile(p, []byte(webPolicy+"#"+strings.Repeat("x", policy.MaxText)), 0o600)
	}
	for name, intrude := range all {
		t.Run(name, func(t *testing.T) {
			dir := made(t)
			must(t, intrude(filepath.Join(dir, policyFile)))
			j := judgeIn(t, dir)
			if _, text := j.now(); j.grants("web", 8080) || len(text) > 0 {
				t.Errorf("it grants, by %q", text)
			}
		})
	}
}

func TestAddPolicyWantsOne(t *testing.T) {
	dir, source := made(t), filepath.Join(t.TempDir(), "new.toml")
	f := mustOpen(t, dir, true)
	defer f.clear()
	must(t, os.WriteFile(source, []byte(webPolicy+"limit = 99\n"), 0o644))
	if err := f.addPolicy(source); refusal.Of(err) != refusal.BadPolicy {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, policyFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was kept: %v", err)
	}
}

func listenOn(port uint16) powers.Power { return powers.Power{Kind: powers.ListenTCP, Port: port} }

// ports returns powers to listen on ports that nobody listens on.
func ports(t *testing.T, n int) (all []powers.Power) {
	t.Helper()
	for range n {
		file, err := plat.ListenTCP(0)
		must(t, err)
		defer file.Close() // after all are found, so that they differ
		listener, err := net.FileListener(file)
		must(t, err)
		listener.Close()
		all = append(all, listenOn(uint16(listener.Addr().(*net.TCPAddr).Port)))
	}
	return all
}

func noListeners() *listeners { return takeListeners(&machine.Handed{}) }

// A socket is opened once, and is the same one until nobody asks for it.
func TestListenersOutliveThoseWhoTakeThem(t *testing.T) {
	l, all := noListeners(), ports(t, 3)
	defer l.keep(nil)
	first, err := l.take(all[:2])
	must(t, err)
	again, err := l.take([]powers.Power{all[2], all[1]})
	must(t, err)
	if again[1] != first[1] || len(l.open) != 3 {
		t.Errorf("it was opened anew: %v, %v", first, again)
	}
	l.keep(all[1:2])
	if len(l.open) != 1 || l.open[all[1]] != first[1] {
		t.Errorf("kept %v", l.open)
	}
	if _, err := first[0].Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("one that nobody asks for is open: %v", err)
	}
}

// One port that is in use keeps all of a bundle's from being opened, and none that was open before from staying so.
func TestListenersAreTakenAllOrNone(t *testing.T) {
	l, all := noListeners(), ports(t, 2)
	defer l.keep(nil)
	_, err := l.take(all[:1])
	must(t, err)
	other, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer other.Close()
	used := listenOn(uint16(other.Addr().(*net.TCPAddr).Port))
	if _, err := l.take([]powers.Power{all[0], all[1], used}); err == nil || refusal.Of(err) != refusal.IO {
		t.Errorf("got %v", err)
	}
	if len(l.open) != 1 || l.open[all[0]] == nil {
		t.Errorf("open are %v", l.open)
	}
}

// The next core takes the sockets over; what it does not know it closes.
func TestListenersAreLeftToTheNextCore(t *testing.T) {
	l, all := noListeners(), ports(t, 1)
	files, err := l.take(all)
	must(t, err)
	left := map[string]*os.File{}
	l.leave(left)
	later, err := os.Open(os.DevNull)
	must(t, err)
	left[machine.HandedListener+"net.listen:later/1"] = later
	left["lock"] = nil
	next := takeListeners(&machine.Handed{Files: left})
	defer next.keep(nil)
	if len(next.open) != 1 || next.open[all[0]] != files[0] {
		t.Errorf("taken over are %v", next.open)
	}
	if _, err := later.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("what is not known is open: %v", err)
	}
	if names := slices.Collect(maps.Keys(left)); !slices.Equal(names, []string{"lock"}) {
		t.Errorf("left over are %v", names)
	}
}

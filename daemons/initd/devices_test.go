package initd

import (
	"os"
	"path/filepath"
	"testing"

	"nexus/libupdates/policy"
)

// A program that runs has the device that a new start would get, as long as the policy's name for it leads to the same
// one with the same access.
func TestDevicesAreHeld(t *testing.T) {
	link := filepath.Join(t.TempDir(), "device")
	leadsTo := func(device string) {
		os.Remove(link)
		must(t, os.Symlink(device, link))
	}
	var l lender
	web := use{"web", "led"}
	led, writable := policy.Device{Path: link}, policy.Device{Path: link, Write: true}
	open := func(of use, is policy.Device) {
		t.Helper()
		file, err := l.open(of, is)
		must(t, err)
		file.Close()
	}
	holds := func(what string, of use, is policy.Device, want bool) {
		t.Helper()
		if got := l.holds(of, is); got != want {
			t.Errorf("%s: it holds is %t", what, got)
		}
	}
	leadsTo("/dev/zero")
	holds("never opened", web, led, false)
	open(web, led)
	holds("the same", web, led, true)
	holds("still the same", web, led, true)
	holds("another bundle", use{"db", "led"}, led, false)
	holds("another name", use{"web", "zeros"}, led, false)
	for what, other := range map[string]policy.Device{
		"another access": writable, "another path": {Path: "/dev/zero"}, "nothing": {}, "no longer named": {Write: true},
	} {
		open(web, led)
		holds(what, web, other, false)
	}
	open(web, led)
	leadsTo("/dev/null")
	holds("another device at the path", web, led, false)
	open(web, led)
	holds("started with that", web, led, true)
	open(web, writable)
	holds("two programs, two accesses", web, writable, false)
	open(web, writable)
	holds("started after that", web, writable, true)
	leadsTo("/does/not/exist")
	holds("unplugged", web, writable, false)
	if _, err := l.open(web, led); err == nil {
		t.Error("what does not exist was opened")
	}
}

// Whether a bundle has its devices still decides whether it has what it would be given.
func TestHoldsAsksForEachDevice(t *testing.T) {
	s := &socketServer{judge: judgeIn(t, made(t)), listeners: noListeners(), lender: &lender{},
		hand: func(string, *os.File) error { return nil }}
	leadsTo := func(path string) {
		t.Helper()
		_, err := s.judge.set([]byte("[[device]]\nname = \"null\"\npath = \"/dev/null\"\n" +
			"[[device]]\nname = \"led\"\npath = \"" + path + "\"\n" +
			"[[allow]]\npublisher = \"*\"\nbundle = \"web\"\npowers = [\"device:*\"]\n"))
		must(t, err)
	}
	web := openCall{bundle: "web", publisher: key(), powers: []string{"device:led", "device:null"}}
	holds := func(what string, want bool) {
		t.Helper()
		if got := s.holds(t.Context(), web); got != want {
			t.Errorf("%s: it holds is %t", what, got)
		}
	}
	leadsTo("/dev/zero")
	holds("never started", false)
	must(t, s.giveDevices(web))
	holds("as it was started", true)
	leadsTo("/dev/full")
	holds("one is another", false)
	must(t, s.giveDevices(web))
	holds("started with that", true)
	_, err := s.judge.set(nil)
	must(t, err)
	holds("nothing is granted", false)
}

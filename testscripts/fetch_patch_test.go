package testscripts

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"nexus/libupdates/updatestest"
	"nexus/oci/ocitest"
)

// A release is a version of a set with two bundles. Of one, each version has another first part.
type release struct{ version, file, delta string }

// releases are sets of which each has so many bytes of news, with deltas from the first to each of the others.
func releases(t *testing.T, size, news int, versions ...string) (all []release) {
	t.Helper()
	key, dir := updatestest.Key(1), t.TempDir()
	common := make([]byte, size-news)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(common)
	var first []updatestest.Made
	for i, version := range versions {
		payload := make([]byte, news)
		_, _ = rand.NewChaCha8([32]byte{2, byte(i)}).Read(payload)
		made := []updatestest.Made{updatestest.Bundle("big", version, nil, append(payload, common...), key),
			updatestest.Bundle("same", "1.0.0", nil, common[:1<<20], key)}
		r := release{version, filepath.Join(dir, version+".nxs"), filepath.Join(dir, version+".nxdelta")}
		writeFile(t, r.file, updatestest.Archive(t, key, version, made...))
		if i == 0 {
			first = made
		}
		writeFile(t, r.delta, updatestest.Delta(t, key, version, first, made))
		all = append(all, r)
	}
	return all
}

func writeFile(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What nx says of a fetch.
type fetched struct {
	SystemVersion                           string
	ReusedBytes, FetchedBytes, PatchedBytes int64
	Unpatched                               []struct{ Bundle, Reason string }
}

// Sizes of these sets, and how much more than the patch an update may have on the wire: what the set and the delta have
// beside payloads, and the headers of a dozen answers.
const (
	patchPayload = 4 << 20
	patchNews    = 1 << 10
	patchBeside  = 16 << 10
)

// A device takes of each payload the smallest way: nothing of what it has, and a patch where one builds on what it has.
// Where the base is missing or damaged it says so, and takes the payload.
func TestFetchTakesTheSmallestWay(t *testing.T) {
	t.Parallel()
	all := releases(t, patchPayload, patchNews, "3.0.0", "3.1.0", "3.2.0")
	for _, kind := range ocitest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			registry := ocitest.Start(t, kind, ocitest.Options{})
			l := ocitest.NewLine(t, registry.Host)
			push(t, all[0].file, reference(registry.Host, all[0]))
			for _, r := range all[1:] {
				push(t, r.file, reference(registry.Host, r), "--delta", r.delta)
			}
			for _, c := range []struct {
				name  string
				harm  func(*crashRig)
				whole bool
			}{
				{"a patch", func(*crashRig) {}, false},
				{"the base is damaged", func(r *crashRig) { damagePayload(t, r, "big") }, true},
				{"the base is missing", func(r *crashRig) { r.must("stage", reference(l.Host(), all[2])) }, true},
			} {
				t.Run(c.name, func(t *testing.T) {
					r := newFetchRig(t)
					r.must("stage", reference(l.Host(), all[0]))
					c.harm(r)
					before := l.Total()
					wantWay(t, r, reference(l.Host(), all[1]), c.whole)
					if wire := l.Total() - before; !c.whole && wire > patchNews+patchBeside {
						t.Errorf("%d bytes were on the wire for a patch with %d bytes of news", wire, patchNews)
					} else {
						t.Logf("%d bytes were on the wire, %.5f of the payload", wire, float64(wire)/patchPayload)
					}
				})
			}
		})
	}
}

func reference(host string, r release) string {
	return fmt.Sprintf("oci://%s/demo:%s", host, r.version)
}

// wantWay stages a set and wants the payload of big to be patched, or to come whole with a word why.
func wantWay(t *testing.T, r *crashRig, from string, whole bool) {
	t.Helper()
	var got fetched
	if err := r.ask(&got, "stage", from); err != nil {
		t.Fatal(err)
	}
	r.wantIntact(t)
	log := r.start("log")
	<-log.Done
	said := strings.Contains(log.Stdout.String(), "fetched whole, not patched")
	switch {
	case whole && (len(got.Unpatched) != 1 || got.Unpatched[0].Bundle != "big" ||
		got.Unpatched[0].Reason != "missing-base" || got.PatchedBytes != 0 || !said):
		t.Errorf("got %+v, in the journal: %v; want big whole for a missing base", got, said)
	case !whole && (len(got.Unpatched) != 0 || got.PatchedBytes != patchPayload ||
		got.FetchedBytes > patchNews+patchBeside || said):
		t.Errorf("got %+v, in the journal: %v; want big patched", got, said)
	case got.ReusedBytes != 1<<20:
		t.Errorf("%d bytes were reused, want %d", got.ReusedBytes, 1<<20)
	}
}

// damagePayload changes a byte of a payload in all sets of the device.
func damagePayload(t *testing.T, r *crashRig, bundle string) {
	t.Helper()
	names, err := filepath.Glob(r.at("system/sets/*/" + bundle + ".nxb/payload.elf"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no payload of %s: %v", bundle, err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)/2] ^= 1
		// a new file: the old one may be protected by the file system
		if err := os.Rename(name, name+".old"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(name + ".old"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFetchOfAPatchIsResumed interrupts the fetch of a long patch in each of several ways. It goes on where it was.
func TestFetchOfAPatchIsResumed(t *testing.T) {
	t.Parallel()
	const news = 6 << 20
	all := releases(t, news+2<<20, news, "3.0.0", "3.1.0")
	registry := ocitest.Start(t, ocitest.Debian, ocitest.Options{})
	push(t, all[0].file, reference(registry.Host, all[0]))
	push(t, all[1].file, reference(registry.Host, all[1]), "--delta", all[1].delta)
	kill := func(daemon string) func(*crashRig, *ocitest.Line) {
		return func(r *crashRig, _ *ocitest.Line) { r.kill(daemon) }
	}
	for name, interrupt := range map[string]func(*crashRig, *ocitest.Line){
		"the line breaks":   func(_ *crashRig, l *ocitest.Line) { l.Cut() },
		"fetchd is killed":  kill("fetchd"),
		"updated is killed": kill("updated"),
		"patchd is killed":  kill("patchd"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := ocitest.NewLine(t, registry.Host)
			r := newFetchRig(t)
			r.must("stage", reference(l.Host(), all[0]))
			start := l.Total()
			struck := make(chan struct{}, interruptions)
			var again func()
			again = func() {
				if struck <- struct{}{}; len(struck) < interruptions {
					l.When(l.Total()+news/(interruptions+1), again)
				}
				interrupt(r, l)
			}
			l.When(start+news/(interruptions+1), again)
			var got fetched
			if err := r.ask(&got, "stage", reference(l.Host(), all[1])); err != nil {
				t.Fatal(err)
			}
			twice := l.Total() - start - news
			if twice > patchBeside+interruptions*fetchedTwice || len(struck) != interruptions {
				t.Errorf("%d bytes came twice, after %d interruptions", twice, len(struck))
			} else {
				t.Logf("%d bytes came twice", twice)
			}
			if len(got.Unpatched) != 0 || got.PatchedBytes == 0 {
				t.Errorf("got %+v, want a patch", got)
			}
			r.wantIntact(t)
		})
	}
}

// TestFetchOfAPatchIsResumedByTheNext has nx killed and the whole system killed in the middle of a patch: the next
// fetch goes on where it was.
func TestFetchOfAPatchIsResumedByTheNext(t *testing.T) {
	t.Parallel()
	const news = 6 << 20
	all := releases(t, news+2<<20, news, "3.0.0", "3.1.0")
	registry := ocitest.Start(t, ocitest.Debian, ocitest.Options{})
	push(t, all[0].file, reference(registry.Host, all[0]))
	push(t, all[1].file, reference(registry.Host, all[1]), "--delta", all[1].delta)
	l := ocitest.NewLine(t, registry.Host)
	dir, state := filepath.Join(t.TempDir(), "sys"), t.TempDir()
	r := fetchRigIn(t, dir, "--state", state)
	r.must("stage", reference(l.Host(), all[0]))
	start := l.Total()
	for i, interrupt := range []func(v *verbRun){
		func(v *verbRun) { v.Signal(syscall.SIGKILL) },
		func(*verbRun) {
			r.killAll()
			r = fetchRigIn(t, dir, "--state", state)
		},
	} {
		t.Logf("interruption %d", i)
		r.interruptStage(l, news/4, "stage", reference(l.Host(), all[1]), interrupt)
	}
	var got fetched
	if err := r.ask(&got, "stage", reference(l.Host(), all[1])); err != nil {
		t.Fatal(err)
	}
	if twice := l.Total() - start - news; twice > patchBeside+2*fetchedTwice {
		t.Errorf("%d bytes came twice", twice)
	} else {
		t.Logf("%d bytes came twice", twice)
	}
	if len(got.Unpatched) != 0 || got.PatchedBytes == 0 {
		t.Errorf("got %+v, want a patch", got)
	}
	r.wantIntact(t)
}

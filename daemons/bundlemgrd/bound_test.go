package bundlemgrd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/capnpgen/bundle"
	"nexus/libupdates/apps"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/updatestest"
)

// wordy returns bundles whose manifests ask for so many things, at the length that is allowed.
func wordy(prefix string, bundles, asked int) (all []updatestest.Made) {
	for i := range bundles {
		name := fmt.Sprintf("%s%03d", prefix, i)
		all = append(all, updatestest.Bundle(name, "1.0.0", nil, []byte(name), updatestest.Key(1)).Asking(long(asked)...))
	}
	return all
}

// long returns so many names at the length that is allowed.
func long(names int) (all []string) {
	for i := range names {
		all = append(all, fmt.Sprintf("A%s%03d", strings.Repeat("x", nxb.MaxListedText-4), i))
	}
	return all
}

// ofApp returns the device as the owner of a package sees it.
func (v *device) ofApp(name string) *device {
	v.t.Helper()
	dir := filepath.Join(v.dir, apps.Dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		v.t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { root.Close() })
	answer, release := v.publisher.App(v.t.Context(), func(p bundle.SlotPublisher_app_Params) error {
		return p.SetName(name)
	})
	v.t.Cleanup(release)
	app := *v
	app.publisher = answer.Publisher()
	if app.store, err = slots.Open(durable.OS(root)); err != nil {
		v.t.Fatal(err)
	}
	return &app
}

// TestTheLargestPublicationFits publishes as much as there can be, of the system and of all packages: a client gets it
// in one message. A set that says more is refused, and what was published stays.
func TestTheLargestPublicationFits(t *testing.T) {
	v := start(t)
	v.mustPublish(bootctl.A, v.stage(bootctl.A, "1.0.0", wordy("sys", nxs.MaxBundles, 54)...), 1)
	for i := range apps.MaxPackages {
		app := v.ofApp(fmt.Sprintf("p%02d-000", i))
		digest := app.stage(bootctl.A, "1.0.0", wordy(fmt.Sprintf("p%02d-", i), apps.MaxBundles, 22)...)
		if reason := app.publish(bootctl.A, digest, 1); reason != "" {
			t.Fatalf("package %d: %s", i, reason)
		}
		receive(t, v.markers)
	}
	before := v.list()
	if got := strings.Count(before.bundles, ";"); got != nxs.MaxBundles {
		t.Errorf("the system has %d bundles", got)
	}
	if got := v.countOfApps(); got != apps.MaxPackages*apps.MaxBundles {
		t.Errorf("the packages have %d bundles", got)
	}
	for what, c := range map[string]struct {
		of  *device
		set []updatestest.Made
	}{
		"a system": {v, wordy("sys", nxs.MaxBundles, nxb.MaxListed)},
		"an app":   {v.ofApp("p00-000"), wordy("p00-", apps.MaxBundles, 24)},
	} {
		digest := c.of.stage(bootctl.B, "2.0.0", c.set...)
		check, publish := c.of.check(bootctl.B, digest), c.of.publish(bootctl.B, digest, 2)
		if want := string(refusal.ManifestTooLarge); check != want || publish != want {
			t.Errorf("%s that says too much: check %q, publish %q, want %q", what, check, publish, want)
		}
	}
	if after := v.list(); after != before {
		t.Error("a set that was refused is published")
	}
}

// countOfApps returns how many bundles the packages have, as a client sees them.
func (v *device) countOfApps() (count int) {
	v.t.Helper()
	all, err := v.published().Apps()
	if err != nil {
		v.t.Fatal(err)
	}
	for i := range all.Len() {
		bundles, err := all.At(i).Bundles()
		if err != nil {
			v.t.Fatal(err)
		}
		count += bundles.Len()
	}
	return count
}

// TestOneBundleMaySayAllItCan publishes an app whose manifest is as long as a manifest can be.
func TestOneBundleMaySayAllItCan(t *testing.T) {
	v := start(t)
	abilities := long(nxb.MaxListed)
	this, _ := machines()
	made := updatestest.Bundle("web", "1.0.0", slices.Insert(abilities[1:], 0, nxb.AbilityService),
		program(this, "1.0.0"), updatestest.Key(1)).Asking(long(nxb.MaxListed)...)
	app := v.ofApp("web")
	digest := app.stage(bootctl.A, "1.0.0", made)
	if reason := app.check(bootctl.A, digest); reason != "" {
		t.Errorf("refused: %s", reason)
	}
}

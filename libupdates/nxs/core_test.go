package nxs_test

import (
	"testing"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// The bundles of a set run on the core that it carries, so the system that stages the set cannot judge their demands.
func TestDemandsOfASetWithACore(t *testing.T) {
	m := nxb.Manifest{Name: "a", MinSDK: "2.0.0", Capabilities: []string{"Later"}}
	without := nxs.Index{Bundles: []nxs.Entry{{Name: "a"}}}
	with := nxs.Index{Bundles: []nxs.Entry{{Name: "a"}, {Name: nxs.CoreName}}}
	if err := without.CheckDemands(m, "1.0.0"); refusal.Of(err) != refusal.SDKTooOld {
		t.Errorf("without a core: %v", err)
	}
	if err := without.CheckDemands(m, "2.0.0"); refusal.Of(err) != refusal.UnknownCapability {
		t.Errorf("without a core: %v", err)
	}
	if err := with.CheckDemands(m, "1.0.0"); err != nil {
		t.Errorf("with a core: %v", err)
	}
}

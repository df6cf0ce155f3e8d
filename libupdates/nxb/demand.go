package nxb

import (
	"fmt"
	"slices"
	"strings"

	"nexus/libupdates/powers"
	"nexus/libupdates/refusal"
	"nexus/libupdates/semver"
)

// SDK is the version of what this system offers to programs: abilities, capabilities, and the services behind them. A
// manifest's minSdk is compared with it.
const SDK = "1.0.0"

// CheckDemands refuses a bundle whose demands a system of that SDK cannot meet, as SDKTooOld, UnknownCapability or
// BadPower.
func (m Manifest) CheckDemands(sdk string) error {
	if m.MinSDK != "" && semver.Compare(m.MinSDK, sdk) > 0 {
		return refusal.New(refusal.SDKTooOld, "bundle %s needs SDK %s, the system has %s", m.Name, m.MinSDK, sdk)
	}
	if _, err := powers.ParseAll(m.Powers()); err != nil {
		return refusal.New(refusal.Of(err), "bundle %s asks for %v", m.Name, err)
	}
	for _, name := range m.Capabilities {
		if !powers.IsPower(name) && !knownCapability(name) {
			return refusal.New(refusal.UnknownCapability,
				"bundle %s asks for %q, which is not a capability of this system%s", m.Name, name,
				meant(name, append(granted(), withheld()...)))
		}
	}
	return nil
}

// BundlePrefix begins the name of a capability for another bundle. The bundle's name follows, or `*` for all bundles.
const BundlePrefix = "bundle/"

// granted lists the capabilities that a bundle gets if it asks, besides those of other bundles. withheld lists the
// capabilities that the system has but gives to no bundle. The authority table (daemons/initd) decides; a test compares
// it with these lists.
func granted() []string  { return []string{"BundleMgr", "PackageFs"} }
func withheld() []string { return []string{"StateFs", "Updated"} }

func knownCapability(name string) bool {
	return GrantedCapability(name) || slices.Contains(withheld(), name)
}

// GrantedCapability reports whether a bundle that asks for the capability may get it.
func GrantedCapability(name string) bool {
	if bundle, ok := strings.CutPrefix(name, BundlePrefix); ok {
		return bundle == "*" || CheckName(bundle) == nil
	}
	return slices.Contains(granted(), name)
}

// CheckAbilities refuses, as UnknownAbility, an ability in this system's name space that the system does not have: the
// bundle would not run as its author expects. It is for packers. Devices ignore unknown abilities.
func (m Manifest) CheckAbilities() error {
	known := []string{AbilityMain, AbilityService, AbilityNative, AbilityData}
	for _, ability := range m.Abilities {
		own := strings.HasPrefix(strings.ToLower(ability), ownPrefix)
		if own && !slices.Contains(known, ability) {
			return refusal.New(refusal.UnknownAbility,
				"%q is not an ability of this system%s", ability, meant(ability, known))
		}
	}
	if slices.Contains(m.Abilities, AbilityNative) && !m.IsService() {
		return refusal.New(refusal.UnknownAbility, "%s is only valid together with %s", AbilityNative, AbilityService)
	}
	if m.IsData() && (m.IsService() || m.IsMain()) {
		return refusal.New(refusal.UnknownAbility, "%s is not valid together with %s or %s: a data bundle runs nothing",
			AbilityData, AbilityService, AbilityMain)
	}
	return nil
}

// ownPrefix begins the abilities of this system. Other systems may define their own.
const ownPrefix = "nexus."

// meant suggests the known name that differs only in case, if any.
func meant(name string, known []string) string {
	for _, k := range known {
		if strings.EqualFold(name, k) {
			return fmt.Sprintf(": did you mean %q?", k)
		}
	}
	return ""
}

package nxb

import (
	"fmt"
	"slices"
	"strings"

	"nexus/libupdates/refusal"
	"nexus/libupdates/semver"
)

// SDK is the version of what this system offers to programs: abilities, capabilities, and the services behind them. A
// manifest's minSdk is held against it.
const SDK = "1.0.0"

// CheckDemands refuses a bundle that could not get what it asks for on a system of that SDK: as SDKTooOld, or as
// UnknownCapability.
func (m Manifest) CheckDemands(sdk string) error {
	if m.MinSDK != "" && semver.Compare(m.MinSDK, sdk) > 0 {
		return refusal.New(refusal.SDKTooOld, "bundle %s needs SDK %s, the system has %s", m.Name, m.MinSDK, sdk)
	}
	for _, name := range m.Capabilities {
		if !knownCapability(name) {
			return refusal.New(refusal.UnknownCapability,
				"bundle %s asks for %q, which is no capability of this system%s", m.Name, name,
				meant(name, append(granted(), withheld()...)))
		}
	}
	return nil
}

// BundlePrefix begins the capability that leads to another bundle: its name follows, or `*` for all of them.
const BundlePrefix = "bundle/"

// granted are the capabilities that a bundle is given if it asks, beside those of other bundles; withheld are those
// that the system has and gives to no bundle. The authority table (daemons/initd) decides; a test holds it against
// these.
func granted() []string  { return []string{"BundleMgr", "PackageFs"} }
func withheld() []string { return []string{"StateFs", "Updated"} }

func knownCapability(name string) bool {
	return GrantedCapability(name) || slices.Contains(withheld(), name)
}

// GrantedCapability tells whether a bundle that asks for the capability may get it.
func GrantedCapability(name string) bool {
	if bundle, ok := strings.CutPrefix(name, BundlePrefix); ok {
		return bundle == "*" || CheckName(bundle) == nil
	}
	return slices.Contains(granted(), name)
}

// CheckAbilities refuses, as UnknownAbility, what looks like an ability of this system and is none: the bundle would
// not run as its maker thinks. It is for packers. A device ignores what it does not know.
func (m Manifest) CheckAbilities() error {
	known := []string{AbilityMain, AbilityService, AbilityNative}
	for _, ability := range m.Abilities {
		own := strings.HasPrefix(strings.ToLower(ability), ownPrefix)
		if own && !slices.Contains(known, ability) {
			return refusal.New(refusal.UnknownAbility,
				"%q is no ability of this system%s", ability, meant(ability, known))
		}
	}
	if slices.Contains(m.Abilities, AbilityNative) && !m.IsService() {
		return refusal.New(refusal.UnknownAbility, "%s means something beside %s only", AbilityNative, AbilityService)
	}
	return nil
}

// ownPrefix begins the abilities of this system. Others may have their own.
const ownPrefix = "nexus."

// meant is the known name that differs in case only, as a question.
func meant(name string, known []string) string {
	for _, k := range known {
		if strings.EqualFold(name, k) {
			return fmt.Sprintf(": is %q meant?", k)
		}
	}
	return ""
}

package nxb_test

import (
	"strings"
	"testing"

	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

func TestCheckDemands(t *testing.T) {
	for _, c := range []struct {
		name, minSDK string
		asks         []string
		want         refusal.Reason
		says         string
	}{
		{"nothing", "", nil, "", ""},
		{"this SDK", "1.4.0", nil, "", ""},
		{"an earlier one", "1.3.9", nil, "", ""},
		{"a release candidate of it", "1.4.0-rc.1", nil, "", ""},
		{"a later one", "1.4.1", nil, refusal.SDKTooOld, "bundle a needs SDK 1.4.1, the system has 1.4.0"},
		{"a much later one", "99999999999999999999.0.0", nil, refusal.SDKTooOld, ""},
		{"what bundles are given", "", []string{"BundleMgr", "PackageFs", "bundle/*", "bundle/b.c"}, "", ""},
		{"what no bundle is given", "", []string{"StateFs", "Updated"}, "", ""},
		{"what there is not", "", []string{"BundleMgr", "Network"}, refusal.UnknownCapability,
			`bundle a asks for "Network"`},
		{"the wrong case", "", []string{"bundlemgr"}, refusal.UnknownCapability, `did you mean "BundleMgr"?`},
		{"no bundle's name", "", []string{"bundle/B"}, refusal.UnknownCapability, ""},
		{"no name", "", []string{""}, refusal.UnknownCapability, ""},
		{"a power", "", []string{"net.listen:tcp/80", "BundleMgr"}, "", ""},
		{"a power out of bounds", "", []string{"net.listen:tcp/0"}, refusal.BadPower,
			`bundle a asks for "net.listen:tcp/0": "0" is not a port`},
		{"a power twice", "", []string{"net.listen:tcp/80", "net.listen:tcp/80"}, refusal.BadPower, "twice"},
		{"a power that is not enforced", "", []string{"net.listen:udp/53"}, refusal.UnknownCapability,
			`bundle a asks for "net.listen:udp/53" is not a power`},
	} {
		err := nxb.Manifest{Name: "a", MinSDK: c.minSDK, Capabilities: c.asks}.CheckDemands("1.4.0")
		if refusal.Of(err) != c.want || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q with %q", c.name, err, c.want, c.says)
		}
	}
}

func TestCheckAbilities(t *testing.T) {
	for _, c := range []struct {
		abilities []string
		want      refusal.Reason
		says      string
	}{
		{nil, "", ""},
		{[]string{nxb.AbilityMain, nxb.AbilityService, nxb.AbilityNative}, "", ""},
		{[]string{"org.example.ability.Service", "service"}, "", ""},
		{[]string{"nexus.ability.service"}, refusal.UnknownAbility, `did you mean "nexus.ability.Service"?`},
		{[]string{"Nexus.Ability.Service"}, refusal.UnknownAbility, `did you mean "nexus.ability.Service"?`},
		{[]string{nxb.AbilityService, "nexus.ability.Servcie"}, refusal.UnknownAbility,
			`"nexus.ability.Servcie" is not an ability`},
		{[]string{"nexus."}, refusal.UnknownAbility, ""},
		{[]string{nxb.AbilityNative}, refusal.UnknownAbility, "only valid together with nexus.ability.Service"},
	} {
		err := nxb.Manifest{Abilities: c.abilities}.CheckAbilities()
		if refusal.Of(err) != c.want || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: got %v, want %q with %q", c.abilities, err, c.want, c.says)
		}
	}
}

func TestSDKIsAVersion(t *testing.T) {
	if err := nxb.CheckVersion(nxb.SDK); err != nil {
		t.Error(err)
	}
}

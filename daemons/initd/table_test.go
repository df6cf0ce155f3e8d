package initd

import (
	"maps"
	"slices"
	"testing"

	"nexus/daemons/initd/links"
	"nexus/libupdates/nxb"
)

// holders returns who holds a facet.
func holders(facet string) []string {
	var names []string
	for _, row := range Table() {
		for _, edge := range row.Holds {
			if edge.Facet == facet {
				names = append(names, row.Name)
			}
		}
	}
	return names
}

func TestPowersHaveOneHolder(t *testing.T) {
	for facet, want := range map[string][]string{
		"HealthGate":     {initName},
		"AppGate":        {initName},
		"UpdateRecovery": {operatorsName},
		"AppInstaller":   {selftestName, operatorsName},
		"AppVerifier":    {"updated"},
		"AppAdmission":   {"updated"},
		"ServiceHealth":  {initName},
		"SlotPublisher":  {"updated"},
		// neither takes the other's word for what may take the place of the first process
		"Verifier":        {"updated", initName},
		"BundleRegistrar": {"execd"},
		"HealthVote":      {selftestName},
		"TrustReload":     {initName},
		"Introducer":      {"samgrd"},
		gateFacet:         {remoteName},

		"BundleIntroducer": {"execd"},
		"BundleSockets":    {"execd"},
	} {
		if got := holders(facet); !slices.Equal(got, want) {
			t.Errorf("%s is held by %v, want %v", facet, got, want)
		}
	}
}

// TestPrefixesHaveOneHolder wants nobody to write where another keeps what must outlive it.
func TestPrefixesHaveOneHolder(t *testing.T) {
	prefixes := map[string][]string{}
	for _, row := range Table() {
		for _, edge := range row.Holds {
			if edge.Facet == "StateFs" {
				prefixes[row.Name] = edge.Grants
			}
		}
	}
	want := map[string][]string{"updated": {"boot"}, "logd": {"journal"}}
	if !maps.EqualFunc(prefixes, want, slices.Equal) {
		t.Errorf("prefixes are held as %v, want %v", prefixes, want)
	}
}

// TestNoNameLeadsToHealthGate holds the names that samgrd may be asked for against the facets that must have none.
func TestNoNameLeadsToHealthGate(t *testing.T) {
	for _, row := range Table() {
		for _, edge := range row.Holds {
			if edge.From != "samgrd" {
				continue
			}
			for _, name := range edge.Grants {
				if slices.Contains([]string{"HealthGate", "AppGate", "AppInstaller", "UpdateRecovery", "SlotPublisher", "Verifier", "LogSink",
					"*"}, name) {
					t.Errorf("%s is granted the name %s", row.Name, name)
				}
			}
		}
	}
}

// TestBundlesAreGivenWhatPackersSayTheyAre holds the names that bundles may be granted against what the domain says of
// them, and all names there are against those that a manifest may ask for.
func TestBundlesAreGivenWhatPackersSayTheyAre(t *testing.T) {
	for _, row := range Table() {
		for _, edge := range row.Holds {
			for _, name := range edge.Grants {
				if row.Name == "execd" && edge.Facet == "ServiceManager" && !nxb.GrantedCapability(name) {
					t.Errorf("bundles are granted %s, and packers say that none is", name)
				}
				asks := nxb.Manifest{Capabilities: []string{name}}
				if err := asks.CheckDemands(nxb.SDK); edge.Facet == "Registrar" && err != nil {
					t.Errorf("there is %s, and a bundle that asks for it is refused: %v", name, err)
				}
			}
		}
	}
}

func TestEveryProviderIsInTheTable(t *testing.T) {
	names := map[string]bool{}
	for _, row := range Table() {
		if names[row.Name] {
			t.Errorf("%s stands twice", row.Name)
		}
		names[row.Name] = true
	}
	for _, row := range Table() {
		seen := map[string]bool{}
		for _, edge := range row.Holds {
			if !names[edge.From] {
				t.Errorf("%s holds %s from %s, which is not in the table", row.Name, edge.Facet, edge.From)
			}
			if seen[edge.Facet] {
				t.Errorf("%s holds %s twice", row.Name, edge.Facet)
			}
			seen[edge.Facet] = true
		}
	}
}

// TestOnlyWritersHoldTheSlots keeps directories with those the design names.
func TestOnlyWritersHoldTheSlots(t *testing.T) {
	want := map[string][]string{"system": {"bundlemgrd", "updated"}, "trust": {"keystored"}, "sets": {selftestName},
		"state": {stateName}, rootsDir: {"keystored"}, groupsDir: {links.Runner}, bundlesDir: {links.Runner},
		treesDir: {links.Runner}}
	got := map[string][]string{}
	for _, row := range Table() {
		for _, dir := range row.Dirs {
			got[dir] = append(got[dir], row.Name)
		}
	}
	for dir, names := range want {
		if !slices.Equal(got[dir], names) {
			t.Errorf("%s is granted to %v, want %v", dir, got[dir], names)
		}
	}
	if len(got) != len(want) {
		t.Errorf("granted directories are %v, want %v", got, want)
	}
}

// TestOnePrefixForOneHolder keeps what daemons remember apart.
func TestOnePrefixForOneHolder(t *testing.T) {
	seen := map[string]string{}
	for _, row := range Table() {
		for _, edge := range row.Holds {
			if edge.Facet != "StateFs" {
				continue
			}
			if len(edge.Grants) != 1 || seen[edge.Grants[0]] != "" {
				t.Errorf("%s is granted the prefixes %q, which %q have", row.Name, edge.Grants, seen)
				continue
			}
			seen[edge.Grants[0]] = row.Name
		}
	}
}

// TestWithoutStateNothingIsHeldFromIt holds the table of a system without state against the whole one.
func TestWithoutStateNothingIsHeldFromIt(t *testing.T) {
	if whole := tableFor(true, true); len(whole) != len(Table()) {
		t.Errorf("with state the table has %d rows of %d", len(whole), len(Table()))
	}
	for _, row := range tableFor(false, true) {
		if row.Name == stateName {
			t.Errorf("%s is in the table", stateName)
		}
		for _, edge := range row.Holds {
			if edge.From == stateName {
				t.Errorf("%s holds %s", row.Name, edge.Facet)
			}
		}
	}
}

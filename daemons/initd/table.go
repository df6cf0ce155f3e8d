package initd

import (
	"math"
	"slices"

	"nexus/daemons/initd/links"
	"nexus/daemons/plat"
)

// A Daemon is one row of the authority table: all that the daemon will ever hold.
type Daemon struct {
	Name     string
	Holds    []Edge   // facets served by others
	Dirs     []string // directories
	Files    []string // open files
	Settings []string // policy values

	Confinement plat.Confinement // what its process may do; the path "dir:NAME" stands for one of Dirs
	Parallel    bool             // it uses all processors at the same time, because it reads and verifies payloads
}

// An Edge is one facet a daemon holds.
type Edge = links.Edge

// initName is initd's own name in the table.
const initName = links.Self

// operatorsName is the row of what clients from outside may be given. Each client has links of its own, those of its
// session; the row itself has none.
const operatorsName = links.Operators

// Process reports whether a row is of a process.
func (d Daemon) Process() bool { return d.Name != operatorsName }

// selftestName is the row that exists only if the system was started with a selftest.
const selftestName = "selftest"

// Table returns the authority graph, in start order. Nothing else grants anything: initd makes exactly these links from
// this value, and `nx graph` prints it.
func Table() []Daemon {
	return slices.Concat(baseRows(), publisherRows(), updateRows(), bundleRows(), healthRows(),
		[]Daemon{operatorsRow()})
}

// baseRows are the daemons that all others build on: the journal, names, state and keys.
func baseRows() []Daemon {
	return []Daemon{
		{
			Name:     "logd",
			Holds:    []Edge{{Facet: "StateFs", From: stateName, Grants: []string{"journal"}}},
			Files:    []string{"console"},
			Settings: []string{"journal"},

			Confinement: daemon(0),
		},
		{
			Name: "samgrd",
			Holds: []Edge{
				logSink(),
				{Facet: "Introducer", From: initName},
			},

			Confinement: daemon(1),
		},
		{
			Name:  stateName,
			Holds: []Edge{logSink()},
			Dirs:  []string{"state"},

			Confinement: daemon(7, plat.PathRule{Path: "dir:state", Access: plat.Read | plat.Write}),
		},
		{
			Name:  "keystored",
			Holds: []Edge{logSink()},
			Dirs:  []string{"trust", "roots"},

			Confinement: daemon(2, plat.PathRule{Path: "dir:trust", Access: plat.Read},
				plat.PathRule{Path: "dir:roots", Access: plat.Read | plat.Write}),
		},
	}
}

// publisherRows are the daemons that serve what the slots hold, or read it.
func publisherRows() []Daemon {
	return []Daemon{
		{
			Name:  "bundlemgrd",
			Holds: []Edge{logSink(), registrar("BundleMgr")},
			Dirs:  []string{"system"},

			Confinement: daemon(3, plat.PathRule{Path: "dir:system", Access: plat.Read}),
		},
		{
			Name: "packagefsd",
			Holds: []Edge{
				logSink(), registrar("PackageFs"),
				{Facet: "BundleMgr", From: "bundlemgrd"},
			},

			Confinement: daemon(4),
		},
		{
			Name:  "patchd",
			Holds: []Edge{logSink()},

			Confinement: daemon(8),
		},
	}
}

// updateRows are the daemons that bring sets into the slots.
func updateRows() []Daemon {
	return []Daemon{
		{
			Name: "updated",
			Holds: []Edge{
				logSink(), registrar("Updated"),
				{Facet: "Verifier", From: "keystored", Grants: []string{"system"}},
				{Facet: "SetAdmission", From: "keystored"},
				{Facet: "AppVerifier", From: "keystored"},
				{Facet: "AppAdmission", From: "keystored"},
				{Facet: "Patcher", From: "patchd"},
				{Facet: "SlotPublisher", From: "bundlemgrd"},
				{Facet: "StateFs", From: stateName, Grants: []string{"boot"}},
				{Facet: "PowerJudge", From: initName},
			},
			Dirs:  []string{"system"},
			Files: []string{"record", "factory"},
			Settings: []string{"limit-archive", "limit-payload", "tries", "floor", "record", "boot-cause", "core",
				hinderedSetting},

			Confinement: daemon(5, plat.PathRule{Path: "dir:system", Access: plat.Read | plat.Write}),
			Parallel:    true,
		},
		{
			Name:     fetchName,
			Holds:    []Edge{logSink(), {Facet: "UpdateStage", From: "updated"}},
			Files:    []string{registryCredentials, registryRoots},
			Settings: []string{registryRate},

			Confinement: client(10),
			Parallel:    true,
		},
	}
}

// bundleRows are the daemons that run bundles, and let operators in from the network.
func bundleRows() []Daemon {
	return []Daemon{
		{
			Name: "execd",
			Holds: []Edge{
				{Facet: "LogSink", From: "logd", Grants: []string{"bundle"}},
				{Facet: "BundleMgr", From: "bundlemgrd"},
				{Facet: "ServiceManager", From: "samgrd", Grants: []string{"BundleMgr", "PackageFs", "bundle/*"}},
				{Facet: "BundleRegistrar", From: "samgrd"},
				{Facet: "BundleIntroducer", From: initName},
				{Facet: "BundleSockets", From: initName},
			},
			Dirs:     []string{groupsDir, bundlesDir, treesDir},
			Settings: []string{"settle", groupsDir, usersSetting},

			Confinement: starter(6),
			Parallel:    true,
		},
		{
			Name:     remoteName,
			Holds:    []Edge{logSink(), {Facet: gateFacet, From: initName}},
			Files:    []string{listenerFile, deviceKeyFile},
			Settings: []string{"operators"},

			Confinement: door(9),
		},
	}
}

// healthRows are the processes that judge whether a set is healthy.
func healthRows() []Daemon {
	return []Daemon{
		{
			Name: selftestName,
			Holds: []Edge{
				logSink(),
				{Facet: "ServiceManager", From: "samgrd", Grants: []string{"BundleMgr", "PackageFs", "Updated",
					"bundle/*"}},
				{Facet: "Journal", From: "logd"},
				{Facet: "AppInstaller", From: "updated"},
				{Facet: "HealthVote", From: initName},
			},
			Dirs: []string{"sets"},

			Confinement: asStarter(daemon(0, plat.PathRule{Path: "dir:sets", Access: plat.Read})),
		},
		{
			Name: initName,
			Holds: []Edge{
				logSink(),
				{Facet: "HealthGate", From: "updated"},
				{Facet: "AppGate", From: "updated"},
				{Facet: "UpdateStatus", From: "updated"},
				{Facet: "ServiceHealth", From: "execd"},
				{Facet: "TrustReload", From: "keystored"},
				{Facet: "Verifier", From: "keystored", Grants: []string{"system"}},
			},
		},
	}
}

// operatorsRow is handed out through Operator, to each role its part: see Roles. Each connection has links of its own,
// so that it can neither fill nor end those of others.
func operatorsRow() Daemon {
	return Daemon{
		Name: operatorsName,
		Holds: []Edge{
			{Facet: "UpdateStatus", From: "updated"},
			{Facet: "UpdateStage", From: "updated"},
			{Facet: "Updated", From: "updated"},
			{Facet: "UpdateRecovery", From: "updated"},
			{Facet: "Fetcher", From: fetchName},
			{Facet: "AppFetcher", From: fetchName},
			{Facet: "AppInstaller", From: "updated"},
			{Facet: "Journal", From: "logd"},
			{Facet: "BundleMgr", From: "bundlemgrd"},
			{Facet: "PackageFs", From: "packagefsd"},
			{Facet: "ServiceWatch", From: "execd"},
			{Facet: "Exec", From: "execd"},
			{Facet: "TrustAnchors", From: "keystored"},
		},
	}
}

func logSink() Edge { return Edge{Facet: "LogSink", From: "logd"} }

// registrar is an edge with the right to register one name at samgrd.
func registrar(name string) Edge {
	return Edge{Facet: links.RegistrarFacet, From: "samgrd", Grants: []string{name}}
}

// Limits of a daemon. Daemons need a small part of these: limits are for those that misbehave.
const (
	daemonMemory = 512 << 20
	daemonFiles  = 4096
	// it holds the links that bundles look up: 16 for each of 256, and the other ends of links between bundles
	starterFiles = 16384
)

// daemon returns the confinement of a daemon that starts no processes; n makes its user unique.
func daemon(nth uint32, paths ...plat.PathRule) plat.Confinement {
	return plat.Confinement{
		Paths: paths, Calls: plat.CallsDaemon, User: plat.FirstDaemonUser + nth, Memory: daemonMemory,
		Files: daemonFiles, SmallPages: true,
	}
}

// door confines the daemon that strangers connect to.
func door(nth uint32) plat.Confinement {
	c := daemon(nth)
	c.Calls = plat.CallsDoor
	return c
}

// client confines the daemon that connects to other machines.
func client(nth uint32) plat.Confinement {
	c := daemon(nth, plat.NetworkRules()...)
	c.Calls, c.Connect = plat.CallsClient, []plat.PortRange{{First: 1, Last: math.MaxUint16}}
	return c
}

// asStarter keeps the user who started the system, because the folder of sets belongs to that user.
func asStarter(c plat.Confinement) plat.Confinement {
	c.User = 0
	return c
}

// groupsDir is where the daemon that runs payloads makes control groups for them, on machines that have these.
const groupsDir = "groups"

// usersSetting tells it the first user id for this system's payloads.
const usersSetting = "users"

// starter returns the confinement of the daemon that runs payloads. It allows what payloads may have and, if initd is
// root, the capabilities to give each payload a user of its own and to kill it.
func starter(nth uint32) plat.Confinement {
	own := plat.Read | plat.Write
	c := daemon(nth, append(plat.StarterRules(), plat.PathRule{Path: dirPrefix + groupsDir, Access: own},
		plat.PathRule{Path: dirPrefix + bundlesDir, Access: own},
		plat.PathRule{Path: dirPrefix + treesDir, Access: own},
		// it is handed files below by bundlemgrd; what it starts can execute no more than itself
		plat.PathRule{Path: dirPrefix + systemDir, Access: plat.Read | plat.Execute})...)
	c.Calls, c.Files = plat.CallsSpawner, starterFiles
	c.SmallPages = false // bundles would inherit it
	c.Powers = []plat.Power{plat.PowerKill, plat.PowerSetUser, plat.PowerSetGrp, plat.PowerSetCap}
	return c
}

package initd

import (
	"nexus/daemons/initd/links"
	"nexus/daemons/plat"
)

// A Daemon is one row of the authority table: everything it will ever hold.
type Daemon struct {
	Name     string
	Holds    []Edge   // facets served by others
	Dirs     []string // directories
	Files    []string // open files
	Settings []string // policy values

	Confinement plat.Confinement // what its process may do; a path "dir:NAME" is that of one of Dirs
}

// An Edge is one facet a daemon holds.
type Edge = links.Edge

// initName is the name under which initd itself stands in the table.
const initName = links.Self

// operatorsName is the row of what those who come in from outside may be handed. Each has links of its own, a
// session's: the row itself has none.
const operatorsName = links.Operators

// Process reports whether a row is a process.
func (d Daemon) Process() bool { return d.Name != operatorsName }

// selftestName is the one row that is there only when the system was started with a selftest.
const selftestName = "selftest"

// Table is the authority graph, in start order. Nothing else says who may do what: initd makes exactly these links, out
// of this value, and `nx graph` prints it.
func Table() []Daemon {
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
		{
			Name: "updated",
			Holds: []Edge{
				logSink(), registrar("Updated"),
				{Facet: "Verifier", From: "keystored", Grants: []string{"system"}},
				{Facet: "SetAdmission", From: "keystored"},
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
		},
		{
			Name: "execd",
			Holds: []Edge{
				{Facet: "LogSink", From: "logd", Grants: []string{"bundle"}},
				{Facet: "BundleMgr", From: "bundlemgrd"},
				{Facet: "ServiceManager", From: "samgrd", Grants: []string{"BundleMgr", "PackageFs", "bundle/*"}},
				{Facet: "BundleRegistrar", From: "samgrd"},
				{Facet: "BundleIntroducer", From: initName},
				{Facet: socketsFacet, From: initName},
			},
			Dirs:     []string{groupsDir},
			Settings: []string{"settle", groupsDir, usersSetting},

			Confinement: starter(6),
		},
		{
			Name: selftestName,
			Holds: []Edge{
				logSink(),
				{Facet: "ServiceManager", From: "samgrd", Grants: []string{"BundleMgr", "PackageFs", "Updated",
					"bundle/*"}},
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
				{Facet: "UpdateStatus", From: "updated"},
				{Facet: "ServiceHealth", From: "execd"},
				{Facet: "TrustReload", From: "keystored"},
				{Facet: "Verifier", From: "keystored", Grants: []string{"system"}},
			},
		},
		{
			// What is handed out through Operator, to each role as much as is its: see Roles. Each connection has other
			// links than initd and all others, so that it can fill or end none but its own.
			Name: operatorsName,
			Holds: []Edge{
				{Facet: "UpdateStatus", From: "updated"},
				{Facet: "UpdateStage", From: "updated"},
				{Facet: "Updated", From: "updated"},
				{Facet: "UpdateRecovery", From: "updated"},
				{Facet: "Journal", From: "logd"},
				{Facet: "BundleMgr", From: "bundlemgrd"},
				{Facet: "PackageFs", From: "packagefsd"},
				{Facet: "ServiceWatch", From: "execd"},
				{Facet: "Exec", From: "execd"},
				{Facet: "TrustAnchors", From: "keystored"},
			},
		},
	}
}

func logSink() Edge { return Edge{Facet: "LogSink", From: "logd"} }

// registrar is the right to register one name at samgrd.
func registrar(name string) Edge {
	return Edge{Facet: links.RegistrarFacet, From: "samgrd", Grants: []string{name}}
}

// Limits of a daemon. All need a small part of it: a limit is for one that went wrong.
const (
	daemonMemory = 512 << 20
	daemonFiles  = 4096
	// it holds what bundles find by it: 16 links of each of 256, and the other ends of those among them
	starterFiles = 16384
)

// daemon confines a daemon that starts nothing, the nth of its kind.
func daemon(nth uint32, paths ...plat.PathRule) plat.Confinement {
	return plat.Confinement{
		Paths: paths, Calls: plat.CallsDaemon, User: plat.FirstDaemonUser + nth, Memory: daemonMemory,
		Files: daemonFiles,
	}
}

// asStarter keeps the user of who started the system: the folder of sets is that user's.
func asStarter(c plat.Confinement) plat.Confinement {
	c.User = 0
	return c
}

// groupsDir is where the daemon that runs payloads makes control groups for them, in a machine that has such.
const groupsDir = "groups"

// usersSetting tells it the first of the users that are for the payloads of this system.
const usersSetting = "users"

// starter confines the daemon that runs payloads: it keeps what a payload may have, and where initd is root the powers
// to make each payload a user of its own and to end it.
func starter(nth uint32) plat.Confinement {
	c := daemon(nth, append(plat.StarterRules(), plat.PathRule{Path: "dir:" +
		groupsDir, Access: plat.Read | plat.Write})...)
	c.Calls, c.Files = plat.CallsSpawner, starterFiles
	c.Powers = []plat.Power{plat.PowerKill, plat.PowerSetUser, plat.PowerSetGrp, plat.PowerSetCap}
	return c
}

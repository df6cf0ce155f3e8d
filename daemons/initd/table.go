package initd

// A Daemon is one row of the authority table: everything it will ever hold.
type Daemon struct {
	Name     string
	Holds    []Edge   // facets served by others
	Dirs     []string // directories
	Files    []string // open files
	Settings []string // policy values
}

// An Edge is one facet a daemon holds.
type Edge struct {
	Facet  string   // what
	From   string   // who serves it
	Grants []string // what may be reached through it, where the facet has names to grant
}

// initName is the name under which initd itself stands in the table.
const initName = "initd"

// selftestName is the one row that is there only when the system was started with a selftest.
const selftestName = "selftest"

// Table is the authority graph, in start order. Nothing else says who may do what: initd makes exactly these links, out of this value,
// and `nx graph` prints it.
func Table() []Daemon {
	return []Daemon{
		{
			Name:  "logd",
			Files: []string{"console"},
		},
		{
			Name:  "samgrd",
			Holds: []Edge{logSink()},
		},
		{
			Name:  "keystored",
			Holds: []Edge{logSink()},
			Dirs:  []string{"trust"},
		},
		{
			Name:  "bundlemgrd",
			Holds: []Edge{logSink(), registrar("BundleMgr")},
			Dirs:  []string{"system"},
		},
		{
			Name: "packagefsd",
			Holds: []Edge{
				logSink(), registrar("PackageFs"),
				{Facet: "BundleMgr", From: "bundlemgrd"},
			},
		},
		{
			Name: "updated",
			Holds: []Edge{
				logSink(), registrar("Updated"),
				{Facet: "Verifier", From: "keystored", Grants: []string{"system"}},
				{Facet: "SlotPublisher", From: "bundlemgrd"},
			},
			Dirs:     []string{"system"},
			Files:    []string{"record", "factory"},
			Settings: []string{"limit-archive", "limit-payload", "tries"},
		},
		{
			Name: "execd",
			Holds: []Edge{
				{Facet: "LogSink", From: "logd", Grants: []string{"bundle"}},
				{Facet: "BundleMgr", From: "bundlemgrd"},
				{Facet: "ServiceManager", From: "samgrd", Grants: []string{"BundleMgr", "PackageFs", "bundle/*"}},
				{Facet: "BundleRegistrar", From: "samgrd"},
			},
			Settings: []string{"settle"},
		},
		{
			Name: selftestName,
			Holds: []Edge{
				logSink(),
				{Facet: "ServiceManager", From: "samgrd", Grants: []string{"BundleMgr", "PackageFs", "Updated", "bundle/*"}},
				{Facet: "HealthVote", From: initName},
			},
			Dirs: []string{"sets"},
		},
		{
			Name: initName,
			Holds: []Edge{
				logSink(),
				{Facet: "HealthGate", From: "updated"},
				{Facet: "ServiceWatch", From: "execd"},
				// What follows is handed out through Operator, on the control socket.
				{Facet: "UpdateStatus", From: "updated"},
				{Facet: "Updated", From: "updated"},
				{Facet: "UpdateRecovery", From: "updated"},
				{Facet: "Journal", From: "logd"},
				{Facet: "BundleMgr", From: "bundlemgrd"},
				{Facet: "PackageFs", From: "packagefsd"},
				{Facet: "Exec", From: "execd"},
				{Facet: "TrustAnchors", From: "keystored"},
			},
		},
	}
}

func logSink() Edge { return Edge{Facet: "LogSink", From: "logd"} }

// registrar is the right to stand behind one name in samgrd.
func registrar(name string) Edge {
	return Edge{Facet: "Registrar", From: "samgrd", Grants: []string{name}}
}

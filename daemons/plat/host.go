package plat

// A Host is what a daemon may ask of the machine. Tests hand in another one.
type Host struct {
	Clock   Clock
	Spawner Reaper      // nil for daemons that start nothing
	Groups  *Delegation // the control groups of bundles, for the one that starts all others; nil: there are none
}

package plat

// A Host is what a daemon may ask of the machine. Tests pass in their own.
type Host struct {
	Clock   Clock
	Spawner Reaper      // nil for a daemon that starts nothing
	Groups  *Delegation // the control groups for bundles, for initd; nil if there are none
}

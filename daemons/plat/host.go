package plat

// A Host is what a daemon may ask of the machine. Tests hand in another one.
type Host struct {
	Clock   Clock
	Spawner Reaper // nil for daemons that start nothing
}

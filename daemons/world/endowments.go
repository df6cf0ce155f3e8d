package world

import "nexus/daemons/vat"

// EndowmentsOf is what the daemon was handed in its present life: whoever takes the daemon over has this and nothing
// else. It is nil for one that is not there.
func (w *World) EndowmentsOf(daemon string) *vat.Endowments {
	w.launcher.mu.Lock()
	defer w.launcher.mu.Unlock()
	if d := w.launcher.living[daemon]; d != nil {
		return d.endowments
	}
	return nil
}

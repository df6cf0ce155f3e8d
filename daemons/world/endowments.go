package world

import "nexus/daemons/vat"

// EndowmentsOf returns the endowments of a daemon's current instance, which is all that someone who takes over the
// daemon gets. It is nil if the daemon does not run.
func (w *World) EndowmentsOf(daemon string) *vat.Endowments {
	w.launcher.mu.Lock()
	defer w.launcher.mu.Unlock()
	if d := w.launcher.running[daemon]; d != nil {
		return d.endowments
	}
	return nil
}

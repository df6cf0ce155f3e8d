package logd_test

import (
	"os"
	"slices"
	"testing"

	"nexus/capnpgen/journal"
)

// Where nothing can be printed no marker is claimed to have been, and the journal goes on.
func TestLostConsole(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	defer writer.Close()
	r := &rig{t: t, Daemon: startOn(t, writer)}
	sink := r.sink("updated")
	wantError(t, mark(t, sink, "updated: ready (non-persistent)"), "broken pipe")
	mustWrite(t, sink, message(journal.Level_warn, "kept"))
	if got := texts(query(t, r.journal(), nil)); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("the journal has %q, want the warning alone", got)
	}
}

package world_test

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// Nothing is left in updated of the packages that operators have opened and released. (The RPC library releases only
// the last of several capabilities of a result, so results have one.)
func TestOpenedPackagesAreReleased(t *testing.T) {
	const many = 200
	w := shared(t)
	o := w.Operator()
	app := o.App("web")
	open := func() {
		for range many {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			updated, err := app.Updated(ctx)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			updated.Release()
		}
	}
	open()
	before := runtime.NumGoroutine() // each object that is served has one
	open()
	for deadline := time.Now().Add(limit); runtime.NumGoroutine() > before+many/2; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before: the packages are still served", runtime.NumGoroutine(), before)
		}
	}
}

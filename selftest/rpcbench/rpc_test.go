package rpcbench

import (
	"context"
	"os"
	"testing"
)

// TestMain runs the far process if the test program was started as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "serve" {
		panic(serve(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

// TestEachContender has each contender do everything once, with the far end in another process, and rejects a wrong
// echo.
func TestEachContender(t *testing.T) {
	for i, who := range contenders() {
		t.Run(who.name, func(t *testing.T) {
			if who.ready != nil {
				if err := who.ready(); err != nil {
					t.Skipf("%s cannot be measured here: %v", who.name, err)
				}
			}
			c, end, err := far(context.Background(), t.TempDir(), i)
			if err != nil {
				t.Fatal(err)
			}
			defer end()
			s, err := measure(context.Background(), c, effort{calls: 4 * concurrent, bulk: 3*bulkChunk + 1})
			if err != nil {
				t.Fatal(err)
			}
			if s[serial] <= 0 || s[tail] < s[serial] || s[inFlight] <= 0 {
				t.Errorf("got %+v", s)
			}
		})
	}
	if same([]byte("a"), []byte("b")) == nil {
		t.Error("another echo than what was sent passes")
	}
}

package reference_test

import (
	"flag"
	"testing"

	"nexus/schema/check/casetest"
	"nexus/schema/check/reference"
	"nexus/schema/check/surface"
)

var _ = flag.Bool("update", false, "compile the cases again and take the reference as it is; read the difference")

// TestReference holds the reference of a schema with all that it shows to how it must read.
func TestReference(t *testing.T) {
	for _, c := range casetest.Load(t, "../testdata/reference") {
		t.Run(c.Name, func(t *testing.T) {
			holders, err := reference.ParseHolders(c.Section("holders"))
			if err != nil {
				t.Fatal(err)
			}
			c.Want(t, "want", string(reference.Write(c.Surface(t, "schema", surface.Options{}), holders, "make api")))
		})
	}
}

// TestRefusesHalfAHolding wants each line of holders whole.
func TestRefusesHalfAHolding(t *testing.T) {
	_, err := reference.ParseHolders("# fine\nclerk Shop\n")
	if want := "cannot read holders: line 2 is not `holder facet provider [grant...]`"; err == nil ||
		err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestRequestsAreCurrent compiles the cases' schemas anew, where the compiler is installed.
func TestRequestsAreCurrent(t *testing.T) {
	casetest.NeedCompiler(t)
	for _, c := range casetest.Load(t, "../testdata/reference") {
		c.CheckCurrent(t)
	}
}

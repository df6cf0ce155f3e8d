package guard

import "capnproto.org/go/capnp/v3"

// A stage is the state of an answer.
type stage uint8

const (
	waiting   stage = iota // Its call waits in the guard.
	computing              // The library has its call.
	returned               // Its Return has been written, or will be before anything else that refers to it.
)

// An answer is our side of a question of the peer.
type answer struct {
	id    uint32 // the library's id
	wire  uint32 // the peer's id
	stage stage
	ours  bool // The guard answered it; the library does not know it.
	boot  bool // It is a bootstrap.

	callBytes   int            // bytes of its call, until it returns
	resultBytes int            // bytes of its results, until the peer finishes
	failed      bool           // It returned an exception.
	places      []place        // the capabilities in its results
	exports     []uint32       // our capabilities in its results, once for each reference
	cancelled   bool           // The peer finished it before it returned
	dropResults bool           // and released the capabilities in its results.
	held        *capnp.Message // the peer's Finish, held until the Return: see Forwards
	users       int            // waiting messages that refer to it
	finish      *capnp.Message // the peer's Finish, held until those messages have gone
}

// A place says where a capability is in an answer's results, and whose capability it is.
type place struct {
	fields   []uint16
	export   uint32 // its export id, if it is ours
	ours     bool
	returned bool // It is the peer's own: calls on it are under an embargo until the peer lifts it.
}

// at returns the capability that a transform leads to.
func (a *answer) at(fields []uint16) (place, bool) {
	for _, p := range a.places {
		if equal(p.fields, fields) {
			return p, true
		}
	}
	return place{}, false
}

// An export is one of our capabilities that the peer holds.
type export struct {
	refs  uint32 // references that the peer holds
	users int    // waiting messages that refer to it
	owed  uint32 // references that the peer released; the library is told after those messages
}

// A question is one of our calls or bootstraps.
type question struct {
	exports  []uint32 // our capabilities in its parameters, once for each reference
	imports  []uint32 // the peer's capabilities in its results
	returned bool
	finished bool
	dropped  bool // It was finished, together with everything in its results.
}

func equal(a, b []uint16) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

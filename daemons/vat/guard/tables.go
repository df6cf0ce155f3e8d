package guard

import "capnproto.org/go/capnp/v3"

// A stage is how far an answer has come.
type stage uint8

const (
	waiting   stage = iota // Its call waits here.
	computing              // The library has its call.
	returned               // Its Return has been written, or will be before anything else that refers to it.
)

// An answer is a question of the peer.
type answer struct {
	id    uint32 // what the library calls it
	wire  uint32 // what the peer calls it
	stage stage
	ours  bool // The guard returned it; the library does not know it.
	boot  bool // It is a bootstrap.

	callBytes   int            // bytes of its call, until it returns
	resultBytes int            // bytes of its results, until the peer finishes
	failed      bool           // It returned an exception.
	places      []place        // the capabilities in its results
	exports     []uint32       // our capabilities in its results, once for each reference
	cancelled   bool           // The peer finished it before it returned.
	dropResults bool           // ... and gave up the capabilities in its results.
	held        *capnp.Message // the peer's Finish, which follows the Return: see Forwards
	users       int            // waiting messages that refer to it
	finish      *capnp.Message // the peer's Finish, which follows those messages
}

// A place is where in an answer's results a capability is, and whose it is.
type place struct {
	fields   []uint16
	export   uint32 // its export id, where it is ours
	ours     bool
	returned bool // It is the peer's own: a call on it is under an embargo until the peer says otherwise.
}

// at returns the capability at the end of a transform.
func (a *answer) at(fields []uint16) (place, bool) {
	for _, p := range a.places {
		if equal(p.fields, fields) {
			return p, true
		}
	}
	return place{}, false
}

// An export is a capability of ours that the peer holds.
type export struct {
	refs  uint32 // references that the peer holds
	users int    // waiting messages that refer to it
	owed  uint32 // references the peer gave up, which the library learns after those messages
}

// A question is a call or bootstrap of ours.
type question struct {
	exports  []uint32 // our capabilities in its parameters, once for each reference
	imports  []uint32 // the peer's capabilities in its results
	returned bool
	finished bool
	dropped  bool // It was finished with everything in its results.
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

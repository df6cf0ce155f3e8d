package guard

// imports are our references to the peer's capabilities. The library knows each by an id of its own: an id that came
// again while its last reference was being dropped ended the process (seen). It takes a promise for a hosted
// capability: one that resolved to a circle kept a core busy for ever, one that resolved to nothing ended the process
// (go-capnp #648, #644).
type imports struct {
	wire     map[uint32]uint32 // the library's id to the peer's
	last     uint32            // the library's
	held     map[uint32]int    // number of references to each of the peer's capabilities
	promised map[uint32]bool   // the peer's unresolved promises; false: we have released it
	late     []uint32          // the released ones, oldest first
}

func newImports() imports {
	return imports{wire: map[uint32]uint32{}, held: map[uint32]int{}, promised: map[uint32]bool{}}
}

// hold registers a reference to one of the peer's capabilities, and returns the id for the library.
func (x *imports) hold(wire uint32) (local uint32, err error) {
	if len(x.wire) >= MaxImports {
		return 0, refuse(TooManyImports)
	}
	x.last++
	for _, taken := x.wire[x.last]; taken; _, taken = x.wire[x.last] {
		x.last++
	}
	x.wire[x.last] = wire
	x.held[wire]++
	return x.last, nil
}

// forget drops a reference and returns the peer's id for it.
func (x *imports) forget(local uint32) (wire uint32, known bool) {
	wire, known = x.wire[local]
	if !known {
		return 0, false
	}
	delete(x.wire, local)
	if x.held[wire]--; x.held[wire] > 0 {
		return wire, true
	}
	delete(x.held, wire)
	if x.promised[wire] {
		x.promised[wire] = false
		x.late = append(x.late, wire)
	}
	if len(x.late) > maxLate {
		if again := x.promised[x.late[0]]; !again {
			delete(x.promised, x.late[0])
		}
		x.late = x.late[1:]
	}
	return wire, true
}

// resolve ends a promise.
func (x *imports) resolve(wire uint32) error {
	if _, known := x.promised[wire]; !known {
		return refuse(BadPromiseID)
	}
	delete(x.promised, wire)
	return nil
}

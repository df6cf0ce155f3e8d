package guard

import (
	"capnproto.org/go/capnp/v3"
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"
)

// An item is one message of the peer, which may have to wait before the library sees it.
type item struct {
	msg  *capnp.Message
	size int
	call *answer // its question; nil for a Return or Disembargo

	question uint32 // for a Return: our question

	target *answer // the answer it is addressed to, if any,
	fields []uint16
	export uint32 // or else the capability

	lane lane // its lane while it waits

	exports  []uint32   // our capabilities that it refers to, including its target's
	promised []promised // those of its capabilities that are in answers
	imports  []uint32   // the library's ids for the peer's capabilities in it
}

// A promised is a capability that is in one of our answers, or will be.
type promised struct {
	descriptor rpccp.CapDescriptor
	answer     *answer
}

// readTarget reads the target of a call or disembargo.
func (g *Guard) readTarget(it *item, target rpccp.MessageTarget) error {
	if !whole(capnp.Struct(target)) {
		return refuse(Malformed)
	}
	switch target.Which() {
	case rpccp.MessageTarget_Which_importedCap:
		it.export = target.ImportedCap()
		return g.refer(it, it.export)
	case rpccp.MessageTarget_Which_promisedAnswer:
		p, err := target.PromisedAnswer()
		if err != nil {
			return refuse(Malformed)
		}
		it.target, it.fields, err = g.readPromised(p)
		return err
	default:
		return refuse(UnknownTarget)
	}
}

// refer records that a message refers to one of our capabilities.
func (g *Guard) refer(it *item, id uint32) error {
	if e := g.exports[id]; e == nil || e.refs == 0 {
		return refuse(BadCapabilityID)
	}
	it.exports = append(it.exports, id)
	return nil
}

// readPromised reads a reference to a place in an answer, and replaces its id by the library's.
func (g *Guard) readPromised(p rpccp.PromisedAnswer) (*answer, []uint16, error) {
	if !whole(capnp.Struct(p)) {
		return nil, nil, refuse(Malformed)
	}
	a := g.asked[p.QuestionId()]
	if a == nil || a.cancelled {
		return nil, nil, refuse(BadQuestionID)
	}
	fields, err := readTransform(p)
	if err != nil {
		return nil, nil, err
	}
	p.SetQuestionId(a.id)
	return a, fields, nil
}

func readTransform(p rpccp.PromisedAnswer) ([]uint16, error) {
	ops, err := p.Transform()
	if err != nil {
		return nil, refuse(Malformed)
	}
	if ops.Len() > MaxTransform {
		return nil, refuse(TransformTooLong)
	}
	var fields []uint16
	for i := range ops.Len() {
		switch op := ops.At(i); op.Which() {
		case rpccp.PromisedAnswer_Op_Which_noop:
		case rpccp.PromisedAnswer_Op_Which_getPointerField:
			fields = append(fields, op.GetPointerField())
		default:
			return nil, refuse(UnknownOperation)
		}
	}
	return fields, nil
}

// readShape checks the form of a target that is not used.
func readShape(target rpccp.MessageTarget) error {
	if !whole(capnp.Struct(target)) {
		return refuse(Malformed)
	}
	switch target.Which() {
	case rpccp.MessageTarget_Which_importedCap:
		return nil
	case rpccp.MessageTarget_Which_promisedAnswer:
		p, err := target.PromisedAnswer()
		if err != nil {
			return refuse(Malformed)
		}
		_, err = readTransform(p)
		return err
	default:
		return refuse(UnknownTarget)
	}
}

// readPayload reads the capabilities of parameters or results. A null payload has none.
func (g *Guard) readPayload(it *item, p rpccp.Payload) error {
	if !p.IsValid() {
		return nil
	}
	table, err := p.CapTable()
	if err != nil {
		return refuse(Malformed)
	}
	if table.Len() > MaxCapabilities {
		return refuse(TooManyCapabilities)
	}
	for i := range table.Len() {
		if err := g.readCapability(it, table.At(i)); err != nil {
			return err
		}
	}
	return nil
}

// readCapability reads one capability, and replaces its ids by the library's.
func (g *Guard) readCapability(it *item, d rpccp.CapDescriptor) error {
	if d.Which() != rpccp.CapDescriptor_Which_none && !whole(capnp.Struct(d)) {
		return refuse(Malformed)
	}
	switch d.Which() {
	case rpccp.CapDescriptor_Which_none:
		return nil
	case rpccp.CapDescriptor_Which_senderHosted:
		return g.hold(it, d, d.SenderHosted())
	case rpccp.CapDescriptor_Which_senderPromise:
		wire := d.SenderPromise()
		g.promised[wire] = true
		return g.hold(it, d, wire)
	case rpccp.CapDescriptor_Which_receiverHosted:
		return g.refer(it, d.ReceiverHosted())
	case rpccp.CapDescriptor_Which_receiverAnswer:
		p, err := d.ReceiverAnswer()
		if err != nil {
			return refuse(Malformed)
		}
		a, _, err := g.readPromised(p)
		if err != nil {
			return err
		}
		it.promised = append(it.promised, promised{d, a})
		return nil
	case rpccp.CapDescriptor_Which_thirdPartyHosted:
		return refuse(ThirdParty)
	default:
		return refuse(UnknownDescriptor)
	}
}

// hold registers a reference to one of the peer's capabilities, under an id that the library does not use yet.
func (g *Guard) hold(it *item, d rpccp.CapDescriptor, wire uint32) error {
	if len(g.imports) >= MaxImports {
		return refuse(TooManyImports)
	}
	g.lastImport++
	for _, taken := g.imports[g.lastImport]; taken; _, taken = g.imports[g.lastImport] {
		g.lastImport++
	}
	g.imports[g.lastImport] = wire
	g.held[wire]++
	d.SetSenderHosted(g.lastImport)
	it.imports = append(it.imports, g.lastImport)
	return nil
}

// forget drops an import and returns the peer's id for it.
func (g *Guard) forget(local uint32) (wire uint32, known bool) {
	wire, known = g.imports[local]
	if !known {
		return 0, false
	}
	delete(g.imports, local)
	if g.held[wire]--; g.held[wire] > 0 {
		return wire, true
	}
	delete(g.held, wire)
	if g.promised[wire] {
		g.promised[wire] = false
		g.late = append(g.late, wire)
	}
	if len(g.late) > maxLate {
		if again := g.promised[g.late[0]]; !again {
			delete(g.promised, g.late[0])
		}
		g.late = g.late[1:]
	}
	return wire, true
}

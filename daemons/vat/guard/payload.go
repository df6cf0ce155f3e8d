package guard

import (
	"capnproto.org/go/capnp/v3"
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"
)

// A promised is a capability that is in one of our answers, or will be.
type promised struct {
	descriptor rpccp.CapDescriptor
	answer     *answer
}

// readTarget reads the target of a call or disembargo.
func (in arrival) readTarget(it *item, target rpccp.MessageTarget) error {
	if !whole(capnp.Struct(target)) {
		return refuse(Malformed)
	}
	switch target.Which() {
	case rpccp.MessageTarget_Which_importedCap:
		it.export = target.ImportedCap()
		return in.refer(it, it.export)
	case rpccp.MessageTarget_Which_promisedAnswer:
		p, err := target.PromisedAnswer()
		if err != nil {
			return refuse(Malformed)
		}
		it.target, it.fields, err = in.readPromised(p)
		return err
	default:
		return refuse(UnknownTarget)
	}
}

// refer records that a message refers to one of our capabilities.
func (in arrival) refer(it *item, id uint32) error {
	if err := in.exports.check(id); err != nil {
		return err
	}
	it.exports = append(it.exports, id)
	return nil
}

// readPromised reads a reference to a place in an answer, and replaces its id by the library's.
func (in arrival) readPromised(p rpccp.PromisedAnswer) (*answer, []uint16, error) {
	if !whole(capnp.Struct(p)) {
		return nil, nil, refuse(Malformed)
	}
	a, err := in.answers.find(p.QuestionId())
	if err != nil {
		return nil, nil, err
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
func (in arrival) readPayload(it *item, p rpccp.Payload) error {
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
		if err := in.readCapability(it, table.At(i)); err != nil {
			return err
		}
	}
	return nil
}

// readCapability reads one capability, and replaces its ids by the library's.
func (in arrival) readCapability(it *item, d rpccp.CapDescriptor) error {
	if d.Which() != rpccp.CapDescriptor_Which_none && !whole(capnp.Struct(d)) {
		return refuse(Malformed)
	}
	switch d.Which() {
	case rpccp.CapDescriptor_Which_none:
		return nil
	case rpccp.CapDescriptor_Which_senderHosted:
		return in.hold(it, d, d.SenderHosted())
	case rpccp.CapDescriptor_Which_senderPromise:
		in.imports.promised[d.SenderPromise()] = true
		return in.hold(it, d, d.SenderPromise())
	case rpccp.CapDescriptor_Which_receiverHosted:
		return in.refer(it, d.ReceiverHosted())
	case rpccp.CapDescriptor_Which_receiverAnswer:
		p, err := d.ReceiverAnswer()
		if err != nil {
			return refuse(Malformed)
		}
		a, _, err := in.readPromised(p)
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

// hold registers a reference to one of the peer's capabilities.
func (in arrival) hold(it *item, d rpccp.CapDescriptor, wire uint32) error {
	local, err := in.imports.hold(wire)
	if err != nil {
		return err
	}
	d.SetSenderHosted(local)
	it.imports = append(it.imports, local)
	return nil
}

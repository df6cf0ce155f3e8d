package guard

import (
	"capnproto.org/go/capnp/v3"
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"
)

// made builds one of the guard's own messages. It cannot fail, because it allocates only a few words.
func made(build func(rpccp.Message) error) *capnp.Message {
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	m, err := rpccp.NewRootMessage(seg)
	if err == nil {
		err = build(m)
	}
	if err != nil {
		msg.Release()
		return nil
	}
	return msg
}

// releaseMessage releases references to a capability.
func releaseMessage(id, count uint32) *capnp.Message {
	return made(func(m rpccp.Message) error {
		rel, err := m.NewRelease()
		if err != nil {
			return err
		}
		rel.SetId(id)
		rel.SetReferenceCount(count)
		return nil
	})
}

// finishMessage finishes an answer.
func finishMessage(id uint32) *capnp.Message {
	return made(func(m rpccp.Message) error {
		fin, err := m.NewFinish()
		if err != nil {
			return err
		}
		fin.SetQuestionId(id)
		fin.SetReleaseResultCaps(false)
		return nil
	})
}

// exceptionMessage answers a question of the peer with an exception.
func exceptionMessage(question uint32, why string) *capnp.Message {
	return returnMessage(question, rpccp.Exception_Type_failed, why)
}

// goneMessage answers one of our questions on behalf of a peer that has gone.
func goneMessage(question uint32) *capnp.Message {
	return returnMessage(question, rpccp.Exception_Type_disconnected, "connection closed")
}

func returnMessage(question uint32, kind rpccp.Exception_Type, why string) *capnp.Message {
	return made(func(m rpccp.Message) error {
		ret, err := m.NewReturn()
		if err != nil {
			return err
		}
		ret.SetAnswerId(question)
		ret.SetReleaseParamCaps(false)
		e, err := ret.NewException()
		if err != nil {
			return err
		}
		e.SetType(kind)
		return e.SetReason(why)
	})
}

// abortMessage ends a connection with a reason.
func abortMessage(reason string) *capnp.Message {
	return made(func(m rpccp.Message) error {
		e, err := m.NewAbort()
		if err != nil {
			return err
		}
		return e.SetReason(reason)
	})
}

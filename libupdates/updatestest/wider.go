package updatestest

import (
	"testing"

	"capnproto.org/go/capnp/v3"
)

// Wider returns a message with a root of that size, as a later version may write it: the last data word and the last
// pointer are those of fields that we do not know.
func Wider(t testing.TB, raw []byte, size capnp.ObjectSize) []byte {
	t.Helper()
	old, err := capnp.Unmarshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	from, err := old.Root()
	if err != nil {
		t.Fatal(err)
	}
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	wide, err := capnp.NewRootStruct(seg, size)
	if err == nil {
		err = wide.CopyFrom(from.Struct())
	}
	if err == nil {
		wide.SetUint64(capnp.DataOffset(size.DataSize-8), 1<<63)
		err = wide.SetText(size.PointerCount-1, "from the future")
	}
	if err != nil {
		t.Fatal(err)
	}
	raw, err = msg.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

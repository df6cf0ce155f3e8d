package testscripts

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"capnproto.org/go/capnp/v3"
	"github.com/rogpeppe/go-internal/testscript"

	"nexus/capnpgen/journal"
	disk "nexus/libupdates/durable"
	"nexus/libupdates/message"
	"nexus/libupdates/statefs"
)

// forge does to an audit record of a system that is down what somebody does who has its state folder and knows its
// format: `forge remove|change|swap NUMBER`. Checksums are as they should be. swap exchanges the places of a record and
// the next one.
func forge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: forge remove|change|swap NUMBER")
	}
	number, err := strconv.ParseUint(args[1], 10, 64)
	ts.Check(err)
	root, err := os.OpenRoot(ts.MkAbs(ts.Getenv("NX_DIR") + "/state"))
	ts.Check(err)
	defer root.Close()
	store, err := statefs.Open(disk.OS(root))
	ts.Check(err)
	segments := store.Prefix("journal")
	keys, _, err := segments.List("audit/", "", statefs.MaxPage)
	ts.Check(err)
	forged := 0
	for _, key := range keys {
		raw, err := segments.Get(key.Key)
		ts.Check(err)
		out, done, err := forgeSegment(raw, args[0], number)
		ts.Check(err)
		if done {
			ts.Check(segments.Put(key.Key, out))
			forged++
		}
	}
	ts.Check(segments.Sync())
	if forged == 0 {
		ts.Fatalf("none of %d segments has audit record %d, and for a swap the next one", len(keys), number)
	}
}

// forgeSegment returns a segment with one record forged, if it has it.
func forgeSegment(raw []byte, how string, number uint64) (out []byte, done bool, err error) {
	msg, err := message.Open(raw)
	if err != nil {
		return nil, false, err
	}
	from, err := journal.ReadRootSegment(msg)
	if err != nil {
		return nil, false, err
	}
	list, err := from.Records()
	if err != nil {
		return nil, false, err
	}
	var records []journal.Record
	for i := range list.Len() {
		records = append(records, list.At(i))
	}
	at := slices.IndexFunc(records, func(r journal.Record) bool { return r.AuditNumber() == number })
	if at < 0 || how == "swap" && (at+1 == len(records) || records[at+1].AuditNumber() != number+1) {
		return nil, false, nil
	}
	_, arena := capnp.NewSingleSegmentMessage(nil)
	to, err := journal.NewRootSegment(arena)
	if err == nil {
		err = capnp.Struct(to).CopyFrom(capnp.Struct(from))
	}
	if err != nil {
		return nil, false, err
	}
	if err := forgeRecords(to, records, at, how); err != nil {
		return nil, false, err
	}
	out, err = message.Canonical(capnp.Struct(to))
	return out, true, err
}

// forgeRecords gives a segment the records, with one of them forged.
func forgeRecords(to journal.Segment, records []journal.Record, at int, how string) error {
	switch how {
	case "remove":
		records = slices.Delete(records, at, at+1)
	case "swap":
		records[at], records[at+1] = records[at+1], records[at]
	}
	list, err := to.NewRecords(int32(len(records)))
	if err != nil {
		return err
	}
	for i, r := range records {
		if err := list.Set(i, r); err != nil {
			return err
		}
	}
	switch how {
	case "swap": // a reader goes by the sequence
		first, second := list.At(at).Sequence(), list.At(at+1).Sequence()
		list.At(at).SetSequence(second)
		list.At(at + 1).SetSequence(first)
	case "change":
		return forgeVersion(list.At(at))
	}
	return nil
}

// forgeVersion changes the version that an audit record names.
func forgeVersion(r journal.Record) error {
	entry, err := r.Entry()
	if err != nil {
		return err
	}
	fields, err := entry.Fields()
	if err != nil {
		return err
	}
	for i := range fields.Len() {
		key, errKey := fields.At(i).Key()
		value, errValue := fields.At(i).Value()
		if err := errors.Join(errKey, errValue); err != nil {
			return err
		}
		if key == "version" {
			return fields.At(i).SetValue(strings.Replace(value, "1", "6", 1))
		}
	}
	return fmt.Errorf("the record names no version")
}

package cli_test

import (
	"context"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/powers"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// A peerKeeper is the state of bundles of a peer: that of one bundle, whose archive is a text.
type peerKeeper struct{ got []byte }

func (o *peerOperator) State(_ context.Context, call operator.Operator_state) error {
	return vat.Give(call.AllocResults, operator.Operator_state_Results.SetKeeper,
		powers.StateKeeper_ServerToClient(&peerKeeper{}))
}

func (s *peerKeeper) List(_ context.Context, call powers.StateKeeper_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	list, err := res.NewBundles(1)
	if err != nil {
		return err
	}
	m := list.At(0)
	m.SetSizeBytes(3 << 20)
	m.SetQuotaBytes(64 << 20)
	m.SetKept(1)
	return m.SetBundle("web\u202e")
}

func (s *peerKeeper) Export(_ context.Context, call powers.StateKeeper_export) error {
	name, err := call.Args().Bundle()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if name != "web" {
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.UnknownBundle, "it keeps no state"))
	}
	return res.SetArchive(bundle.Blob_ServerToClient(peerArchive{}))
}

// A peerArchive is an archive that is a text.
type peerArchive struct{}

func (peerArchive) Read(_ context.Context, call bundle.Blob_read) error {
	res, err := call.AllocResults()
	if err != nil || call.Args().Offset() > 0 {
		return err
	}
	return res.SetBytes([]byte("archive"))
}

func (peerArchive) Size(context.Context, bundle.Blob_size) error { return nil }

func (s *peerKeeper) Import(_ context.Context, call powers.StateKeeper_import) error {
	return vat.Give(call.AllocResults, powers.StateKeeper_import_Results.SetSink, powers.StateSink_ServerToClient(s))
}

func (s *peerKeeper) Write(_ context.Context, call powers.StateSink_write) error {
	piece, err := call.Args().Bytes()
	s.got = append(s.got, piece...)
	return err
}

func (s *peerKeeper) Done(_ context.Context, call powers.StateSink_done) error {
	res, err := call.AllocResults()
	if err != nil || string(s.got) == "archive" {
		return err
	}
	return convert.Refuse(res.NewRefusal, refusal.New(refusal.BadArchive, "it is not a tar archive"))
}

package initd

import (
	"context"
	"fmt"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/operator"
	"nexus/capnpgen/registry"
	"nexus/capnpgen/vote"
	"nexus/daemons/initd/links"
)

// serveOwn returns what initd itself serves to daemons.
func (s *system) serveOwn(facet string) capnp.Client {
	switch facet {
	case "HealthVote":
		return capnp.Client(vote.HealthVote_ServerToClient(&voter{ballot: s.ballot, ending: s.ending}))
	case "BundleIntroducer":
		return capnp.Client(registry.BundleIntroducer_ServerToClient(&bundleIntroducer{s.links}))
	case "Introducer":
		return capnp.Client(registry.Introducer_ServerToClient(&introducer{s.links}))
	case gateFacet:
		return capnp.Client(operator.OperatorGate_ServerToClient(&gateServer{s}))
	case "PowerJudge", "BundleSockets":
		return s.servePowers(facet)
	default:
		return capnp.Client{}
	}
}

// An introducer is the Introducer capability: samgrd says who asked for which name, and initd links the two if the
// table allows it. A samgrd that lies can only make links that their holders could have asked for.
type introducer struct{ links *links.Links }

// Introduce links a client with the daemon that is bound to a name.
func (i *introducer) Introduce(_ context.Context, call registry.Introducer_introduce) error {
	client, err := call.Args().Client()
	if err != nil {
		return err
	}
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	direct, err := i.links.Introduce(client, name)
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetDirect(direct)
	return nil
}

// A bundleIntroducer is the BundleIntroducer capability: execd says which bundle looks up which name.
type bundleIntroducer struct{ links *links.Links }

// Introduce links a bundle with whoever has registered a name.
func (i *bundleIntroducer) Introduce(_ context.Context, call registry.BundleIntroducer_introduce) error {
	bundle, err := call.Args().Bundle()
	if err != nil {
		return err
	}
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	direct, err := i.links.IntroduceBundle(bundle, name)
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetDirect(direct)
	return nil
}

// maxResumed bounds the links of one call (schema/registry.capnp).
const maxResumed = 4096

// Resume makes links again that bundles served.
func (i *bundleIntroducer) Resume(_ context.Context, call registry.BundleIntroducer_resume) error {
	list, err := call.Args().Links()
	if err != nil {
		return err
	}
	if list.Len() > maxResumed {
		return fmt.Errorf("cannot make links again: %d of them, at most %d", list.Len(), maxResumed)
	}
	numbers := make([]uint64, list.Len())
	for n := range numbers {
		numbers[n] = list.At(n)
	}
	return i.links.Resume(numbers)
}

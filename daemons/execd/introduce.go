package execd

import (
	"context"
	"errors"
	"slices"
	"strings"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/registry"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// Names of bundles, and the pattern for all of them.
const (
	bundlePrefix = "bundle/"
	allBundles   = bundlePrefix + "*"
)

// errUnknownName is the answer both for a name that is not granted and for one without a provider.
var errUnknownName = convert.Except(refusal.New(refusal.UnknownName,
	"no service has this name, or the name is not granted"))

// sameWords makes all errors for an unavailable name the same, wherever they come from: execd's own right may have been
// revoked.
func sameWords(err error) error {
	if errors.Is(err, vat.ErrRevoked) || refusal.Of(convert.Excepted(err)) == refusal.UnknownName {
		return errUnknownName
	}
	return err
}

// Introduce asks initd for a link between the bundle and the provider of the name. The link arrives on the bundle's
// fd 4, so a bundle that does not read fd 4 gets none.
func (m *manager) Introduce(ctx context.Context, call registry.ServiceManager_introduce) error {
	call.Go()
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	if !m.mayFind(name) {
		m.noteRefused(name)
		return errUnknownName
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if taken, err := m.program.links.wanted(ctx); !taken {
		return err
	}
	direct := false
	for m.mayFind(name) && !direct { // a daemon that has died is on its way back
		if err := m.awaitBundle(ctx, name); err != nil {
			return err
		}
		if err := m.program.links.pace(ctx, name); err != nil {
			return err
		}
		direct, err = m.introducer.introduce(ctx, m.program.name, name)
		if errors.Is(err, vat.ErrRevoked) {
			return nil // it gets no links of its own any more, but may look up by way of execd
		}
		if err != nil {
			return convert.Except(sameWords(err))
		}
	}
	res.SetDirect(direct)
	return nil
}

// awaitBundle waits for the bundle of a name while it is replaced.
func (m *manager) awaitBundle(ctx context.Context, name string) error {
	bundle, is := strings.CutPrefix(name, bundlePrefix)
	if !is {
		return nil
	}
	return m.forwarder.await(ctx, bundle)
}

// noteRefused records a name that the bundle's manifest does not ask for. It ignores names that only the bundle's own
// attenuation of its ServiceManager withholds.
func (m *manager) noteRefused(name string) {
	grants := m.program.grants
	pattern := strings.HasPrefix(name, bundlePrefix) && slices.Contains(grants, allBundles)
	if !pattern && !slices.Contains(grants, name) {
		m.program.refused.name(name)
	}
}

// mayFind reports whether the bundle is granted the name and a provider exists. A daemon may still be starting; a
// bundle has to be there already.
func (m *manager) mayFind(name string) bool {
	bundle, is := strings.CutPrefix(name, bundlePrefix)
	if !is {
		return slices.Contains(m.names, name)
	}
	return (slices.Contains(m.names, name) || slices.Contains(m.names, allBundles)) && m.forwarder.knows(bundle)
}

// An introducer asks initd for links between programs and providers.
type introducer struct {
	holder    *vat.Holding // initd's BundleIntroducer
	forwarder *forwarder
	log       *logclient.Log
}

// introduce asks for a link.
func (i *introducer) introduce(ctx context.Context, program, name string) (direct bool, err error) {
	err = i.holder.Call(ctx, func(c capnp.Client) error {
		answer, release := registry.BundleIntroducer(c).Introduce(ctx,
			func(p registry.BundleIntroducer_introduce_Params) error {
				return errors.Join(p.SetBundle(program), p.SetName(name))
			})
		defer release()
		res, err := answer.Struct()
		if err != nil {
			return err
		}
		direct = res.Direct()
		return nil
	})
	return direct, err
}

// resume has the clients of a service linked with its new program.
func (i *introducer) resume(ctx context.Context, name string) {
	lost := i.forwarder.serves(name)
	if len(lost) > maxResumed {
		lost = lost[:maxResumed] // the others ask again
	}
	if len(lost) == 0 {
		return
	}
	err := i.holder.Call(ctx, func(c capnp.Client) error {
		answer, release := registry.BundleIntroducer(c).Resume(ctx,
			func(p registry.BundleIntroducer_resume_Params) error {
				list, err := p.NewLinks(int32(len(lost)))
				if err != nil {
					return err
				}
				for n, link := range lost {
					list.Set(n, link)
				}
				return nil
			})
		defer release()
		_, err := answer.Struct()
		return err
	})
	if err != nil && ctx.Err() == nil {
		i.log.Warn("cannot make links again", "bundle", name, "error", err)
	}
}

// maxResumed bounds the links of one call (schema/registry.capnp).
const maxResumed = 4096

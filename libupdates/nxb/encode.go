package nxb

import (
	"errors"
	"fmt"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/manifest"
	"nexus/libupdates/message"
)

// Encode returns the canonical encoding of the manifest: the same manifest gives the same bytes.
func (m Manifest) Encode() ([]byte, error) {
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	defer msg.Release()
	root, err := manifest.NewRootBundleManifest(seg)
	if err == nil {
		err = m.fill(root)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot encode manifest: %w", err)
	}
	return message.Canonical(capnp.Struct(root))
}

func (m Manifest) fill(root manifest.BundleManifest) error {
	root.SetSchemaVersion(schemaVersion)
	root.SetPayloadSize(m.PayloadSize)
	return errors.Join(
		root.SetName(m.Name), root.SetSemver(m.Version), setTexts(root.NewAbilities, m.Abilities),
		setTexts(root.NewCapabilities, m.Capabilities), m.fillLaunch(root), root.SetMinSdk(m.MinSDK),
		root.SetPublisher(m.Publisher[:]), root.SetSignature(m.Signature), root.SetPayloadDigest(m.PayloadDigest),
	)
}

// fillLaunch leaves out what is empty: that keeps the bytes of manifests as they were before there were these fields.
func (m Manifest) fillLaunch(root manifest.BundleManifest) error {
	if len(m.Args) > 0 {
		if err := setTexts(root.NewArgs, m.Args); err != nil {
			return err
		}
	}
	if len(m.Environment) > 0 {
		return setTexts(root.NewEnvironment, m.Environment)
	}
	return nil
}

func setTexts(make func(int32) (capnp.TextList, error), texts []string) error {
	list, err := make(int32(len(texts)))
	if err != nil {
		return err
	}
	for i, text := range texts {
		if err := list.Set(i, text); err != nil {
			return err
		}
	}
	return nil
}

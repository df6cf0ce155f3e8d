package nxspack

import (
	"fmt"

	"github.com/alecthomas/kong"
	"github.com/dustin/go-humanize"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
)

// A size is a number of bytes on the command line: `2GiB`, `500MB`, `1048576`.
type size int64

// UnmarshalText reads a size of 1 byte to 16 GiB, the bounds of a device's policy.
func (s *size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil {
		return fmt.Errorf("cannot use size %q: want a number with a unit, as 2GiB", text)
	}
	if n < 1 || n > nxs.MaxPolicy {
		return fmt.Errorf("cannot use size %q: it must be 1 byte to 16 GiB", text)
	}
	*s = size(n)
	return nil
}

// limitFlags are the policy of the device a set is meant for.
type limitFlags struct {
	LimitArchive size `placeholder:"SIZE" default:"${archive_limit}" help:"Largest archive the device takes (${default})."`
	LimitPayload size `placeholder:"SIZE" default:"${payload_limit}" help:"Largest payload the device takes (${default})."`
}

// helpTexts are what help texts share: the limits of a device without a policy of its own, and what names a key.
func helpTexts() kong.Vars {
	limits := nxs.DefaultLimits()
	return kong.Vars{
		"key": "Private key: a file (keygen's, OpenSSH, PKCS#8 as PEM or DER; hex-seed:FILE for bare hex), " +
			"or for ssh-agent agent:, agent:COMMENT, agent:SHA256:... or a public key's file.",
		"sdk": nxb.SDK,
		"public": "a public key as text or as a file " +
			"(keygen's, OpenSSH, SPKI as PEM or DER; hex-public:FILE for bare hex in a file not named *.pub)",
		"archive_limit": humanize.IBytes(uint64(limits.Archive)),
		"payload_limit": humanize.IBytes(uint64(limits.Payload)),
	}
}

func (f limitFlags) limits() nxs.Limits {
	return nxs.Limits{Archive: int64(f.LimitArchive), Payload: int64(f.LimitPayload)}
}

// formatLimits are the most any device may allow. They hold where a set is only looked at.
func formatLimits() nxs.Limits { return nxs.Limits{Archive: nxs.MaxPolicy, Payload: nxs.MaxPolicy} }

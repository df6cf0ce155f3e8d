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

// UnmarshalText parses a size from 1 byte to 16 GiB, the bounds of a device's policy.
func (s *size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil {
		return fmt.Errorf("cannot use size %q: want a number with a unit, such as 2GiB", text)
	}
	if n < 1 || n > nxs.MaxPolicy {
		return fmt.Errorf("cannot use size %q: want 1 byte to 16 GiB", text)
	}
	*s = size(n)
	return nil
}

// limitFlags are the limits of the devices that a set is for.
type limitFlags struct {
	LimitArchive size `placeholder:"SIZE" default:"${archive_limit}" help:"Largest archive that the device accepts (${default})."`
	LimitPayload size `placeholder:"SIZE" default:"${payload_limit}" help:"Largest payload that the device accepts (${default})."`
}

// helpTexts are the variables of help texts: the default limits of a device, and the forms of key arguments.
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

// formatLimits returns the highest limits that any device may have, for commands that only read a set.
func formatLimits() nxs.Limits { return nxs.Limits{Archive: nxs.MaxPolicy, Payload: nxs.MaxPolicy} }

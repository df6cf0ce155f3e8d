package nxspack

import (
	"github.com/alecthomas/kong"
	"github.com/dustin/go-humanize"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
)

// limitFlags are the limits of the devices that a set is for.
type limitFlags struct {
	LimitArchive nxs.Size `placeholder:"SIZE" default:"${archive_limit}" help:"Largest archive that the device accepts (${default})."`
	LimitPayload nxs.Size `placeholder:"SIZE" default:"${payload_limit}" help:"Largest payload that the device accepts (${default})."`
}

// helpTexts are the variables of help texts: the default limits of a device, and the forms of key arguments.
func helpTexts() kong.Vars {
	limits := nxs.DefaultLimits()
	return kong.Vars{
		"key": "Private key: a file (keygen's, OpenSSH, PKCS#8 as PEM or DER; hex-seed:FILE for bare hex), " +
			"or for ssh-agent agent:, agent:COMMENT, agent:SHA256:... or a public key's file; " +
			"or pkcs11:... (RFC 7512) for a token.",
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

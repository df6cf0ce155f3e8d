package nxspack

import (
	"context"
	"io"

	"github.com/alecthomas/kong"
)

// setGrammar is the command line of nxs-pack. Without a verb it packs.
type setGrammar struct {
	answerFlags
	Version kong.VersionFlag `help:"Show the version."`

	Pack    packVerb    `cmd:"" default:"withargs" help:"Pack bundles into a signed system set."`
	Prepare prepareVerb `cmd:"" help:"Write the bytes to sign of a system set, for a key that is elsewhere."`
	Attach  attachVerb  `cmd:"" help:"Pack with the signature over what prepare wrote."`
	Inspect inspectVerb `cmd:"" help:"Show what a set says about itself. Trusts nobody, proves nothing."`
	Verify  verifyVerb  `cmd:"" help:"Check a set as a device does that trusts these publishers."`
	Extract extractVerb `cmd:"" help:"Verify a set and unpack it into a new folder."`
	Keygen  keygenVerb  `cmd:"" help:"Make a signing key."`
	Diff    diffVerb    `cmd:"" help:"Show what changed from one set to another."`
}

// RunSetPacker runs nxs-pack with the arguments that follow its name and returns the exit status: 0 done, 1 refused or
// failed, 2 wrong usage. When the context ends, so does the command, as failed: what it was making is gone, what was
// there before is there still.
func RunSetPacker(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return setPacker(stdout, stderr).run(ctx, &setGrammar{}, args)
}

func setPacker(stdout, stderr io.Writer) *command {
	return &command{
		name: "nxs-pack",
		description: "Pack and examine Nexus system sets (.nxs). " +
			"Without a command it packs: nxs-pack --input DIR --meta FILE --key KEY --output FILE.nxs.",
		stdout: stdout,
		stderr: stderr,
	}
}

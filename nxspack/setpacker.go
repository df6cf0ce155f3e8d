package nxspack

import (
	"context"
	"io"

	"github.com/alecthomas/kong"

	"nexus/oci"
)

// setGrammar is the command line of nxs-pack. The default verb is pack.
type setGrammar struct {
	answerFlags
	Version kong.VersionFlag `help:"Show the version."`

	Pack    packVerb    `cmd:"" default:"withargs" help:"Pack bundles into a signed system set."`
	Prepare prepareVerb `cmd:"" help:"Write the bytes of a system set that must be signed, for a key on another machine."`
	Attach  attachVerb  `cmd:"" help:"Pack with a signature over the output of prepare."`
	Amend   amendVerb   `cmd:"" help:"Add further signatures, and roots, to a set. Its own signature stays as it is."`
	Inspect inspectVerb `cmd:"" help:"Show what a set says about itself. Does not check whether its publisher is trusted."`
	Verify  verifyVerb  `cmd:"" help:"Check a set as a device that trusts these publishers does."`
	Extract extractVerb `cmd:"" help:"Verify a set and unpack it into a new folder."`
	Keygen  keygenVerb  `cmd:"" help:"Create a signing key."`
	Explain explainVerb `cmd:"" help:"Show which powers the bundles of a set get on a device with a policy, and by which rule."`
	Diff    diffVerb    `cmd:"" help:"Show the differences between two sets."`
	Delta   deltaVerb   `cmd:"" help:"Make a delta: what a device that has one set needs to make another."`
	Apply   applyVerb   `cmd:"" help:"Make the new set out of an old one and a delta."`
	Push    pushVerb    `cmd:"" help:"Push a set to an OCI registry. Payloads that the registry has are not sent."`
	Pull    pullVerb    `cmd:"" help:"Pull a set from an OCI registry, and verify it."`
	Root    rootVerbs   `cmd:"" help:"Make and check root documents, which say who may sign what."`
}

// RunSetPacker runs nxs-pack with the given arguments (without the program name) and returns the exit status: 0 done, 1
// refused or failed, 2 wrong usage. When the context ends, the command fails: its partial output is removed, and what
// existed before is unchanged.
func RunSetPacker(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return setPacker(stdout, stderr).run(ctx, &setGrammar{}, args)
}

func setPacker(stdout, stderr io.Writer) *command {
	return &command{
		name: "nxs-pack",
		description: "Pack and examine Nexus system sets (.nxs). " +
			"Without a command it packs: nxs-pack --input DIR --meta FILE --key KEY --output FILE.nxs.",
		pace:   oci.DefaultPace(),
		stdout: stdout,
		stderr: stderr,
	}
}

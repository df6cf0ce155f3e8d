package probe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"nexus/daemons/plat"
)

// The probe's parts, selected by the second argument. The first argument is the kind of process.
const (
	partAll     = "all"     // start one in each confinement; the default
	partInside  = "inside"  // attack
	partFree    = "free"    // start one without confinement that attacks: the control
	partStarter = "starter" // start a payload that attacks, as execd does; for one with a power, its kind follows
)

// The probe's descriptors. It gets its targets as a daemon gets its endowments: after it has been started.
const (
	preyFD    = 3 // the targets, up to the end of file; empty: only the start is measured
	programFD = 4 // for a starter: the payload, which is the probe's own program
	handedFD  = 5 // for a starter: the listening socket that is granted
	deviceFD  = 6 // for a starter: the device that is granted
)

// inside attacks and prints the outcomes on standard output.
func inside(kind string) error {
	if kind != kindPayload && kind != kindFree && !slices.Contains(empowered(), kind) {
		if err := plat.Settle(kind == kindStarter); err != nil {
			return err
		}
	}
	p := new(prey)
	switch err := json.NewDecoder(os.NewFile(preyFD, "prey")).Decode(p); err {
	case nil:
	case io.EOF:
		return nil
	default:
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(attack(kind, p))
}

// starter confines itself as execd and runs the probe from sealed memory in the confinement of that kind of payload.
func starter(kind string) error {
	if err := plat.Settle(true); err != nil {
		return err
	}
	spawner, err := plat.NewReaper()
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(os.NewFile(programFD, "program"))
	if err != nil {
		return err
	}
	payload, err := plat.SealedMemory(kind, bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return err
	}
	groups, err := ownGroups()
	if err != nil {
		return err
	}
	group, err := groups.Make(kind)
	if err != nil {
		return err
	}
	defer group.Remove()
	c := plat.PayloadConfinement(plat.FirstPayloadUser, plat.Dynamic(payload))
	cmd := plat.Command{
		Path: plat.ByDescriptor(payload), File: payload, Argv: []string{kind, partInside}, Dir: "/",
		Stdout: os.Stdout, Stderr: os.Stderr, Extra: []*os.File{os.NewFile(preyFD, "prey")}, DieWithParent: true,
		Confinement: &c,
		Group:       group,
	}
	empower(kind, &cmd, os.NewFile(handedFD, "socket"), os.NewFile(deviceFD, grantedDevice))
	process, err := spawner.Spawn(cmd)
	if err != nil {
		return err
	}
	<-process.Done()
	if exit := process.Exit(); !exit.OK() {
		return fmt.Errorf("the payload ended: %v", exit)
	}
	if groups == nil || kind != kindPayload {
		return nil
	}
	outcomes, err := hoards(spawner, groups, payload, c)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(outcomes)
}

// envGroups names the environment variable that tells a starter where it may make control groups. A daemon gets the
// directory as an endowment.
const envGroups = "PROBE_GROUPS"

// envBundles names the one that tells a starter where the state of bundles is.
const envBundles = "PROBE_BUNDLES"

// envTrees names the one that tells it where the trees of data bundles are.
const envTrees = "PROBE_TREES"

func ownGroups() (*plat.Groups, error) {
	dir := os.Getenv(envGroups)
	if dir == "" {
		return nil, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return plat.NewGroups(root), nil
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"nexus/daemons/plat"
)

// Parts that the probe plays, by the second word of its command line. The first is the kind of process; the third, where it has one, is the prey.
const (
	partInside  = "inside"  // attack
	partFree    = "free"    // start one without a confinement that attacks: the control
	partStarter = "starter" // start a payload that attacks, as execd does
)

// programFD is where a starter finds the probe's own program: the payload.
const programFD = 3

// inside attacks and says on standard output how it went. Without a prey it does nothing: a start to be measured.
func inside(kind, text string) error {
	if kind != kindPayload && kind != kindFree {
		if err := plat.Settle(kind == kindStarter); err != nil {
			return err
		}
	}
	if text == "" {
		return nil
	}
	p := new(prey)
	if err := json.Unmarshal([]byte(text), p); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(attack(kind, p))
}

// starter becomes what execd is and runs the probe from sealed memory in a payload's confinement.
func starter(text string) error {
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
	payload, err := plat.SealedMemory(kindPayload, bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return err
	}
	c := plat.PayloadConfinement(plat.PayloadUsers([]string{kindPayload})[kindPayload], plat.Dynamic(payload))
	process, err := spawner.Spawn(plat.Command{
		Path: fmt.Sprintf("/proc/self/fd/%d", payload.Fd()), Argv: []string{kindPayload, partInside, text}, Dir: "/",
		Stdout: os.Stdout, Stderr: os.Stderr, DieWithParent: true, Confinement: &c,
	})
	if err != nil {
		return err
	}
	<-process.Done()
	if exit := process.Exit(); !exit.OK() {
		return fmt.Errorf("the payload ended: %v", exit)
	}
	return nil
}

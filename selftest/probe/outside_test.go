package probe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"nexus/daemons/initd"
	"nexus/daemons/plat"
)

// kindFree is the process without confinement, which is the control.
const kindFree = "free"

// An attacked holds the outcomes of the attempts in one confinement.
type attacked struct {
	kind     string
	measures []plat.Measure
	outcomes []outcome
}

// through returns the attempts that were not refused as expected.
func (a attacked) through() []outcome {
	var through []outcome
	for _, o := range a.outcomes {
		if !o.refused() {
			through = append(through, o)
		}
	}
	return through
}

// A ground is what the probe is started with.
type ground struct {
	program string // the probe's own program
	spawner plat.Spawner
	prey    prey
	groups  *plat.Delegation
}

// everything attacks from the confinement of each daemon, from that of a payload, and from those of payloads with
// powers.
func (g *ground) everything() ([]attacked, error) {
	var all []attacked
	for _, row := range initd.Table() {
		if row.Confinement.Calls == "" {
			continue // initd itself, or not a process
		}
		a, err := g.daemon(row.Name, []string{partInside})
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	for _, kind := range append([]string{kindPayload}, empowered()...) {
		a, err := g.daemon(kindStarter, []string{partStarter, kind}, reach(kind)...)
		if err != nil {
			return nil, err
		}
		a.kind = kind
		all = append(all, a)
	}
	return all, nil
}

// daemon starts the probe as initd starts a daemon.
func (g *ground) daemon(name string, part []string, reach ...plat.PortRange) (attacked, error) {
	if name == kindStarter {
		g.prey.Granted["groups"] = g.groups.Dir()
	}
	c, err := initd.Confinement(name, g.program, g.prey.Granted)
	if err != nil {
		return attacked{}, err
	}
	if name == kindStarter {
		c.Groups, c.Connect = g.groups.Measure(), reach
	}
	return g.start(name, part, &c)
}

// control attacks without confinement, which shows what the attempts are worth on this machine.
func (g *ground) control() ([]attacked, error) {
	a, err := g.start(kindFree, []string{partInside}, nil)
	return []attacked{a}, err
}

func (g *ground) start(kind string, part []string, c *plat.Confinement) (attacked, error) {
	process, out, err := g.run(kind, part, c, &g.prey)
	if err != nil {
		return attacked{}, err
	}
	defer out.Close()
	said, err := io.ReadAll(out)
	if err != nil {
		return attacked{}, err
	}
	<-process.Done()
	if exit := process.Exit(); !exit.OK() {
		return attacked{}, fmt.Errorf("the probe as %s ended: %v: %s", kind, exit, bytes.TrimSpace(said))
	}
	a := attacked{kind: kind}
	if measured, ok := process.(plat.Measured); ok {
		a.measures = measured.Measures()
	}
	for parts := json.NewDecoder(bytes.NewReader(said)); parts.More(); {
		var outcomes []outcome
		if err := parts.Decode(&outcomes); err != nil {
			return a, err
		}
		a.outcomes = append(a.outcomes, outcomes...)
	}
	return a, nil
}

// run starts the probe and then sends it its targets. Its output is read from out.
func (g *ground) run(kind string, part []string, c *plat.Confinement, p *prey) (
	process plat.Process, out *os.File, err error) {

	program, err := os.Open(g.program)
	if err != nil {
		return nil, nil, err
	}
	defer program.Close()
	socket, err := listener()
	if err != nil {
		return nil, nil, err
	}
	defer socket.Close()
	device, err := plat.OpenDevice(grantedDevice, false)
	if err != nil {
		return nil, nil, err
	}
	defer device.Close()
	hand, handed, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer hand.Close()
	defer handed.Close()
	out, says, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer says.Close()
	cmd := plat.Command{
		Path: g.program, Argv: append([]string{kind}, part...), Dir: "/", Stdout: says, Stderr: os.Stderr,
		Extra: []*os.File{hand, program, socket, device}, Confinement: c,
	}
	if kind == kindStarter {
		cmd.Env = []string{envGroups + "=" + g.groups.Dir(), envBundles + "=" + g.prey.Granted["bundles"],
			envTrees + "=" + g.prey.Granted["trees"]}
		cmd.Group = g.groups.Group()
	}
	process, err = g.spawner.Spawn(cmd)
	if err == nil && p != nil {
		err = json.NewEncoder(handed).Encode(p) // fits into the pipe's buffer
	}
	if err != nil {
		out.Close()
		return nil, nil, err
	}
	return process, out, nil
}

// timed runs a program that does nothing and returns how long that took, from start to end.
func (g *ground) timed(kind string) (time.Duration, error) {
	var c *plat.Confinement
	if kind != kindFree {
		confinement, err := initd.Confinement(kind, g.program, g.prey.Granted)
		if err != nil {
			return 0, err
		}
		c = &confinement
	}
	begin := time.Now()
	process, out, err := g.run(kind, []string{partInside}, c, nil)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	<-process.Done()
	if exit := process.Exit(); !exit.OK() {
		return 0, fmt.Errorf("the probe as %s ended: %v", kind, exit)
	}
	return time.Since(begin), nil
}

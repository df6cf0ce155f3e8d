package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The stage runs before the client of registries is initialized, which every daemon does.
func TestTheStageComesEarly(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	initialized := func(args ...string) (client bool, out string) {
		cmd := exec.CommandContext(t.Context(), own)
		cmd.Args, cmd.Env = args, []string{"GODEBUG=inittrace=1"}
		all, _ := cmd.CombinedOutput()
		return strings.Contains(string(all), "init oras.land/oras-go/v2/registry "), string(all)
	}
	if client, out := initialized("nexus", "-test.run=^$"); !client {
		t.Errorf("the program does not initialize it:\n%s", out)
	}
	client, out := initialized("nexus-confine")
	if client || !strings.Contains(out, "nexus-confine: cannot start") {
		t.Errorf("the stage initializes it, or is not the stage:\n%s", out)
	}
}

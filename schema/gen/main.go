// Command gen generates Go code from the schemas: one package in capnpgen per schema file, with the capnp compiler and
// the capnpc-go that go.mod pins. The same schema gives the same bytes. CI runs it and fails if the result differs from
// what is committed.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen: "+err.Error())
		os.Exit(1)
	}
}

func run() error {
	if _, err := exec.LookPath("capnp"); err != nil {
		return fmt.Errorf("cannot find capnp: install the package capnproto (only `make gen` needs it)")
	}
	work, err := os.MkdirTemp("", "gen")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	plugin := filepath.Join(work, "capnpc-go")
	if err := command("go", "build", "-o", plugin, "capnproto.org/go/capnp/v3/capnpc-go"); err != nil {
		return err
	}
	library, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "capnproto.org/go/capnp/v3").Output()
	if err != nil {
		return fmt.Errorf("cannot find the library's own schemas: %w", err)
	}
	std := filepath.Join(strings.TrimSpace(string(library)), "std")

	files, err := filepath.Glob("schema/*.capnp")
	if err != nil || len(files) == 0 {
		return fmt.Errorf("cannot find schema/*.capnp: run this from the top of the tree")
	}
	if err := os.RemoveAll("capnpgen"); err != nil {
		return err
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".capnp")
		out := filepath.Join("capnpgen", name)
		if err := os.MkdirAll(out, 0o755); err != nil {
			return err
		}
		err := command("capnp", "compile", "--no-standard-import", "-I", std, "--src-prefix=schema",
			"-o"+plugin+":"+out, file)
		if err != nil {
			return err
		}
	}
	return nil
}

func command(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot run %s: %w", filepath.Base(name), err)
	}
	return nil
}

// Command pages writes the man pages and completion scripts of all commands, generated from their definitions.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"

	"nexus/nx/cli"
	"nexus/nxspack"
	"nexus/packaging/manual"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pages FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "pages: cannot write pages: %v\n", err)
		os.Exit(1)
	}
}

// write writes man/NAME.1, bash/NAME, zsh/_NAME and fish/NAME.fish below a folder.
func write(dir string) error {
	commands, err := commands()
	if err != nil {
		return err
	}
	for _, c := range commands {
		if err := put(filepath.Join(dir, "man", c.app.Name+".1"), manual.Man(c.app, c.seeAlso...)); err != nil {
			return err
		}
		for _, shell := range manual.Shells() {
			script, err := manual.Completion(c.app, shell)
			if err != nil {
				return err
			}
			if err := put(filepath.Join(dir, shell, fileFor(shell, c.app.Name)), script); err != nil {
				return err
			}
		}
	}
	return nil
}

// A command with the pages for its SEE ALSO section.
type command struct {
	app     *kong.Application
	seeAlso []string
}

func commands() ([]command, error) {
	nx, err := cli.Definition()
	if err != nil {
		return nil, err
	}
	all := []command{{nx, []string{"nexus", "nxs-pack"}}}
	packers, err := nxspack.Definitions()
	if err != nil {
		return nil, err
	}
	for i, packer := range packers {
		other := packers[len(packers)-1-i].Name
		all = append(all, command{packer, []string{"nx", other}})
	}
	return all, nil
}

// fileFor returns the file name under which a shell looks for a command's completion.
func fileFor(shell, name string) string {
	switch shell {
	case "zsh":
		return "_" + name
	case "fish":
		return name + ".fish"
	}
	return name
}

func put(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

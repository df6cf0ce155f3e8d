package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A pair is two files, of which the second replaces the first.
type pair struct {
	name string
	make func(ctx context.Context, root string) (old, fresh string, err error)
}

// allPairs returns the pairs of the tables.
func allPairs() []pair {
	return []pair{
		changed("amd64"), changed("riscv64"), changed("arm64"),
		released("github.com/mikefarah/yq/v4", "v4.44.5", "v4.44.6"),
		released("github.com/mikefarah/yq/v4", "v4.44.6", "v4.45.1"),
		packaged("openssl", "usr/bin/openssl"),
		packaged("libssl3", "usr/lib/*/libcrypto.so.3"),
		packaged("redis-tools", "usr/bin/redis-check-rdb"),
	}
}

func given(old, fresh string) pair {
	return pair{filepath.Base(fresh), func(context.Context, string) (string, string, error) { return old, fresh, nil }}
}

// changed is this tree's nexus before and after a small change: a function more, and a call of it.
func changed(arch string) pair {
	return pair{"nexus for " + arch + ", one function more", func(ctx context.Context, root string) (string, string,
		error) {
		overlay, err := smallChange(root)
		if err != nil {
			return "", "", err
		}
		build := func(name string, flags ...string) (string, error) {
			out := filepath.Join(root, name+"-"+arch)
			args := append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", out}, flags...)
			return out, command(ctx, []string{"GOARCH=" + arch, "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false"}, "go",
				append(args, "./daemons/nexus")...)
		}
		old, err := build("nexus")
		if err != nil {
			return "", "", err
		}
		fresh, err := build("nexus-changed", "-overlay", overlay)
		return old, fresh, err
	}}
}

// smallChange writes an overlay for the go command.
func smallChange(root string) (string, error) {
	const file = "libupdates/semver/semver.go"
	source, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	text := string(source) + "\nfunc spell(text string) string {\n\tif len(text) > 40 {\n" +
		"\t\treturn strings.ToUpper(text[:40]) + \" and more\"\n\t}\n\treturn strings.TrimSpace(text)\n}\n"
	const at = "func Valid(version string) bool {\n"
	if !strings.Contains(text, at) {
		return "", fmt.Errorf("%s has no place for the change", file)
	}
	text = strings.Replace(text, at, at+"\tif spell(version) == \"NONE\" {\n\t\treturn false\n\t}\n", 1)
	name, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	other, overlay := filepath.Join(root, "semver.go.changed"), filepath.Join(root, "overlay.json")
	return overlay, errors.Join(os.WriteFile(other, []byte(text), 0o644),
		os.WriteFile(overlay, fmt.Appendf(nil, `{"Replace": {%q: %q}}`, name, other), 0o644))
}

// released is a Go program in two releases, built with the dependencies of each.
func released(module, before, after string) pair {
	return pair{program(module) + " " + before + " to " + after, func(ctx context.Context, root string) (string,
		string, error) {
		old, err := install(ctx, root, module, before)
		if err != nil {
			return "", "", err
		}
		fresh, err := install(ctx, root, module, after)
		return old, fresh, err
	}}
}

// program is what the go command calls the program of a module.
func program(module string) string {
	return filepath.Base(strings.TrimSuffix(module, "/v4"))
}

// install builds one release, unless it is there.
func install(ctx context.Context, root, module, version string) (string, error) {
	dir := filepath.Join(root, program(module)+"-"+version)
	file := filepath.Join(dir, program(module))
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	return file, command(ctx, []string{"GOBIN=" + dir, "CGO_ENABLED=0", "GOFLAGS="}, "go", "install", "-trimpath",
		"-ldflags=-s -w", module+"@"+version)
}

// packaged is a file of a Debian package in the two newest versions that the package lists have.
func packaged(name, file string) pair {
	return pair{name + " of Debian, " + filepath.Base(file), func(ctx context.Context, root string) (string, string,
		error) {
		out, err := exec.CommandContext(ctx, "apt-cache", "madison", name).Output()
		if err != nil {
			return "", "", err
		}
		var versions []string
		for line := range strings.Lines(string(out)) {
			if fields := strings.Split(line, "|"); len(fields) > 2 && strings.Contains(fields[2], "Packages") {
				versions = append(versions, strings.TrimSpace(fields[1]))
			}
		}
		if len(versions) < 2 {
			return "", "", errors.New("the package lists have only one version")
		}
		fresh, err := unpacked(ctx, root, name, versions[0], file)
		if err != nil {
			return "", "", err
		}
		old, err := unpacked(ctx, root, name, versions[1], file)
		return old, fresh, err
	}}
}

// unpacked returns a file of a package.
func unpacked(ctx context.Context, root, name, version, file string) (string, error) {
	dir := filepath.Join(root, name+"-"+strings.ReplaceAll(version, ":", "_"))
	script := `mkdir -p "$1" && cd "$1" && { ls *.deb >/dev/null 2>&1 || apt-get -q download "$2" >/dev/null 2>&1; } && dpkg-deb -x *.deb .`
	if err := command(ctx, nil, "sh", "-c", script, "sh", dir, name+"="+version); err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, file))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("%s %s has no %s", name, version, file)
	}
	return found[0], nil
}

// command runs a command with some variables more.
func command(ctx context.Context, environment []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), environment...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot run %s: %w: %s", name, err, strings.ReplaceAll(strings.TrimSpace(string(out)), "\n",
			": "))
	}
	return nil
}

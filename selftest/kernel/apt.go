package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// keyring contains Debian's keys on every Debian system (package debian-archive-keyring).
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// mirror is the address of Debian's packages.
const mirror = "http://deb.debian.org/debian"

// An apt runs Debian's package tool in a folder of its own, as if this machine had another architecture and no packages
// installed. Of the host's settings it uses only those for proxies and the like.
type apt struct {
	tools
	dir  string
	arch arch
}

// newApt prepares the folder. dir is absolute.
func newApt(t tools, dir string, a arch) (*apt, error) {
	if !exists(keyring) {
		return nil, hinted(fmt.Errorf("cannot verify packages: %s is missing", keyring),
			"install the package debian-archive-keyring")
	}
	for _, sub := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	sources := fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: %s\nSigned-By: %s\n",
		mirror, suite, a.debian, keyring)
	if err := os.WriteFile(filepath.Join(dir, "debian.sources"), []byte(sources), 0o644); err != nil {
		return nil, err
	}
	return &apt{tools: t, dir: dir, arch: a}, os.WriteFile(filepath.Join(dir, "status"), nil, 0o644)
}

func (a *apt) options() []string {
	var options []string
	for _, o := range []string{
		"Dir::Etc::sourcelist=" + filepath.Join(a.dir, "debian.sources"),
		"Dir::Etc::sourceparts=/dev/null",
		"Dir::State=" + a.dir,
		"Dir::State::lists=" + filepath.Join(a.dir, "lists"),
		"Dir::State::status=" + filepath.Join(a.dir, "status"),
		"Dir::Cache=" + a.dir,
		"Dir::Cache::archives=" + filepath.Join(a.dir, "archives"),
		"APT::Architecture=" + a.arch.debian,
		"APT::Architectures=" + a.arch.debian,
		"APT::Sandbox::User=", // so that apt's own user does not need access to the folder
		"Acquire::Languages=none",
		"Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
		"Acquire::Retries=3",
	} {
		options = append(options, "-o", o)
	}
	return options
}

// update fetches the package lists.
func (a *apt) update(ctx context.Context) error {
	_, err := a.run(ctx, a.dir, "apt-get", append(a.options(), "-q", "--error-on=any", "update")...)
	if err != nil {
		return hinted(err,
			"is the network there? "+mirror+" must be reachable, by a proxy in apt's settings where there is one")
	}
	return nil
}

// dependency matches a dependency in the output of apt-cache.
var dependency = regexp.MustCompile(`(?m)^\s*Depends: (linux-image-\S+)$`)

// kernelPackage returns the package that the architecture's image package currently depends on.
func (a *apt) kernelPackage(ctx context.Context) (string, error) {
	out, err := a.run(ctx, a.dir, "apt-cache", append(a.options(), "depends", a.arch.image)...)
	if err != nil {
		return "", err
	}
	found := dependency.FindStringSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("cannot find kernel: %s depends on no linux-image package", a.arch.image)
	}
	return found[1], nil
}

// download fetches a package and returns its file. apt checks its digest against the signed lists.
func (a *apt) download(ctx context.Context, name string) (string, error) {
	if _, err := a.run(ctx, filepath.Join(a.dir, "archives"), "apt-get",
		append(a.options(), "-q", "download", name)...); err != nil {
		return "", hinted(err, "is the network there, and room for 200 MB in "+a.dir+"?")
	}
	files, err := filepath.Glob(filepath.Join(a.dir, "archives", strings.ReplaceAll(name, "+", "[+]")+"_*.deb"))
	if err == nil && len(files) != 1 {
		err = errors.New("cannot find the file that apt fetched for " + name)
	}
	if err != nil {
		return "", err
	}
	return files[0], nil
}

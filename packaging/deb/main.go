// Command deb packs the output of `make build man` into Debian packages in out/deb. The same files, version and time
// give the same bytes.
package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"nexus/packaging/release"
)

const out = "out/deb"

func main() {
	version := flag.String("version", "", "output of git describe; empty for a build without a version")
	seconds := flag.Int64("time", 0, "time of the commit, in seconds since 1970")
	nfpm := flag.String("nfpm", "bin/nfpm", "the nfpm program")
	flag.Parse()
	if err := pack(*version, *seconds, *nfpm); err != nil {
		fmt.Fprintf(os.Stderr, "deb: %v\n", err)
		os.Exit(1)
	}
}

func pack(version string, seconds int64, nfpm string) error {
	commit := time.Unix(seconds, 0).UTC()
	debian, err := release.Debian(version, commit)
	if err != nil {
		return err
	}
	if err := stage(debian, commit); err != nil {
		return fmt.Errorf("cannot write documents: %w", err)
	}
	for _, name := range []string{"nexus", "nexus-tools"} {
		target := fmt.Sprintf("%s/%s_%s_%s.deb", out, name, debian, runtime.GOARCH)
		cmd := exec.Command(nfpm, "package", "--config", "packaging/debian/"+name+".yaml", "--packager", "deb",
			"--target", target)
		cmd.Env = append(os.Environ(),
			"DEB_VERSION="+debian, "DEB_ARCH="+runtime.GOARCH, "SOURCE_DATE_EPOCH="+strconv.FormatInt(seconds, 10))
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot pack %s: %w\n%s", name, err, output)
		}
		fmt.Println(target)
	}
	return nil
}

// stage writes the documents in the form that Debian requires: compressed, without names and times in their headers.
func stage(debian string, commit time.Time) error {
	pages, err := filepath.Glob("out/pages/man/*.1")
	if err != nil {
		return err
	}
	for _, file := range append(pages, "packaging/debian/nexus.1", "CHANGELOG.md") {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := compress(filepath.Base(file)+".gz", raw); err != nil {
			return err
		}
	}
	for _, name := range []string{"nexus", "nexus-tools"} {
		if err := compress(name+".changelog.gz", []byte(changelog(name, debian, commit))); err != nil {
			return err
		}
	}
	return nil
}

// changelog returns the package's changelog in Debian's format. It refers to CHANGELOG.md, which is also in the
// package.
func changelog(name, debian string, commit time.Time) string {
	return fmt.Sprintf("%s (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- %s  %s\n",
		name, debian, "Nexus maintainers <maintainers@nexus.invalid>", commit.Format(time.RFC1123Z))
}

func compress(name string, raw []byte) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(raw)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, name), packed.Bytes(), 0o644)
}

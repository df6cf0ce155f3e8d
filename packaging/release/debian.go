package release

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Forms of the output of `git describe --tags --dirty`: a tag, the number of commits since, and whether the tree is
// dirty. They are compiled where they are used: the daemons, which have this package too, would do that at each start.
const (
	tagged = `^v(\d+\.\d+\.\d+)(?:-([0-9A-Za-z.-]*[0-9A-Za-z]))?(?:\+([0-9A-Za-z.]+))?$`
	since  = `-(\d+)-(g[0-9a-f]+)$`
)

// Debian converts a version to a Debian version that sorts the same way: a pre-release before its release, later
// commits after their tag. A build without a version sorts before every release, by the time of its commit.
func Debian(version string, commit time.Time) (string, error) {
	if version == "" {
		return "0~" + commit.UTC().Format("20060102150405"), nil
	}
	tag, dirty := strings.CutSuffix(version, "-dirty")
	commits := regexp.MustCompile(since).FindStringSubmatch(tag)
	if commits != nil {
		tag = strings.TrimSuffix(tag, commits[0])
	}
	m := regexp.MustCompile(tagged).FindStringSubmatch(tag)
	if m == nil {
		return "", fmt.Errorf("cannot package version %q: want a tag such as v1.2.0 or v1.2.0-rc.1", version)
	}
	debian := m[1]
	if pre := m[2]; pre != "" {
		debian += "~" + strings.ReplaceAll(pre, "-", ".")
	}
	if build := m[3]; build != "" {
		debian += "+" + build
	}
	if commits != nil {
		debian += "+" + commits[1] + "." + commits[2]
	}
	if dirty {
		debian += "+dirty"
	}
	return debian, nil
}

package testscripts

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"nexus/daemons/plat"
	"nexus/selftest/console"
	"nexus/selftest/demo"
	"nexus/selftest/kit"
)

// built is where TestMain put what every scenario uses: binaries in bin, the demo's key and sets in demo.
type built struct{ root string }

func (b built) bin() string  { return filepath.Join(b.root, "bin") }
func (b built) demo() string { return filepath.Join(b.root, "demo") }

var shared built // set once, before any test runs

// inFlight is how many tests run at a time, unless go test is told. Most of a test is waiting.
const inFlight = "4"

func TestMain(m *testing.M) {
	os.Exit(func() int {
		flag.Set("test.parallel", inFlight) // the command line, which is read later, has the last word
		kit.HearSignals()
		root, err := os.MkdirTemp("", "nexus-scripts")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(root)
		shared = built{root}
		if err := shared.make(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// make builds the real binaries and packs the demo sets with them.
func (b built) make() error {
	if err := demo.Build(b.bin()); err != nil {
		return err
	}
	out, err := exec.Command("go", "build", "-o", filepath.Join(b.bin(), "schema-check"),
		"nexus/schema/check").CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot build schema-check: %w\n%s", err, out)
	}
	return demo.Make(b.bin(), b.demo(), runtime.GOARCH, io.Discard)
}

// goEnv asks the go command for one of its settings.
func goEnv(name string) string {
	out, _ := exec.Command("go", "env", name).Output()
	return strings.TrimSpace(string(out))
}

// condition reports what the scenarios may need of this machine. Real programs are installed where CI is set.
func condition(cond string) (bool, error) {
	ci := os.Getenv("CI") != ""
	switch cond {
	case "root":
		return os.Geteuid() == 0, nil
	case "busybox":
		program, err := os.Open("/bin/busybox")
		if err != nil {
			return ci, nil
		}
		defer program.Close()
		return ci || !plat.Dynamic(program), nil
	case "redis":
		_, err := os.Stat("/usr/bin/redis-server")
		return ci || err == nil, nil
	case "caddy":
		return ci || os.Getenv("CADDY") != "", nil
	case "bounded": // this machine holds programs to their quotas
		return plat.CanMountImages() == nil, nil
	default:
		return false, fmt.Errorf("there is no condition %q", cond)
	}
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", shared.bin()+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("DEMO", shared.demo())
			env.Setenv("BIN", shared.bin())
			docs, err := filepath.Abs("../docs")
			if err != nil {
				return err
			}
			env.Setenv("DOCS", docs)
			env.Setenv("GOCACHE", goEnv("GOCACHE"))
			env.Setenv("GOFLAGS", "-mod=mod")
			env.Setenv("CGO_ENABLED", "0")
			env.Setenv("NX_DIR", filepath.Join(env.WorkDir, "sys"))
			env.Values[systemKey{}] = &system{Lines: &console.Lines{}}
			env.Values[hammerKey{}] = new(*hammer)
			env.Values[holdKey{}] = map[string]net.Conn{}
			return nil
		},
		Condition: condition,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"boot":      boot,
			"limit":     limit,
			"await":     awaitLine,
			"halt":      halt,
			"end":       awaitEnd,
			"killall":   killSystem,
			"running":   running,
			"signal":    signalProcess,
			"freeze":    freeze,
			"status":    statusIs,
			"gone":      gone,
			"nolitter":  noLitter,
			"snapshot":  snapshot,
			"unchanged": unchanged,
			"mutate":    mutate,
			"wired":     wired,
			"logged":    logged,
			"flip":      flip,
			"rot":       rot,
			"forge":     forge,
			"port":      freePort,
			"expand":    expand,
			"fetch":     fetch,
			"hammer":    hammering,
			"hold":      hold,
			"held":      held,
			"say":       say,
			"webserver": building("web"),
			"counter":   building("counter"),
			"hello":     building("hello"),
			"caddy":     buildCaddy,
		},
	})
}

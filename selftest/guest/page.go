package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"nexus/selftest/demo"
)

// pageVerb shows a web server, in a bundle, while its set is updated and rolled back: a page before, during and after.
// The greeting is that of a data bundle, and the visits are counted in the state of the server's bundle.
type pageVerb struct {
	Bin  string `default:"bin" help:"Folder with the commands."`
	Demo string `default:"out/demo" help:"Folder of the demo, for its key."`
}

// pagePatience bounds each step.
const pagePatience = time.Minute

// Run starts a system on this host, and ends it.
func (v *pageVerb) Run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "nexus-page-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := page{v: v, ctx: ctx, dir: dir}
	if p.port, err = freePort(); err != nil {
		return err
	}
	sets := map[string]string{}
	for version, greeting := range map[string]string{"1.0.0": "hello", "2.0.0": "welcome"} {
		if sets[version], err = p.pack(version, greeting); err != nil {
			return err
		}
	}
	end, err := p.up(sets["1.0.0"])
	if err != nil {
		return err
	}
	defer end()
	if err := p.show("before"); err != nil {
		return err
	}
	stop := p.ask()
	_, err = p.nx("update", sets["2.0.0"])
	if err == nil {
		err = p.show("updated")
	}
	if err == nil {
		_, err = p.nx("rollback")
	}
	if err == nil {
		err = p.show("rolled back")
	}
	answered, lost := stop()
	if err != nil {
		return err
	}
	fmt.Printf("run: meanwhile %d requests were answered, %d were not: what 2.0.0 counted went with it\n", answered, lost)
	if lost > 0 {
		return errors.New("requests were lost")
	}
	return nil
}

// A page is what the server shows.
type page struct {
	v    *pageVerb
	ctx  context.Context
	dir  string
	port int
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// pack packs a set with the server, and with its greeting.
func (p page) pack(version, greeting string) (set string, err error) {
	packer := demo.Packer{Bin: p.v.Bin, Key: filepath.Join(p.v.Demo, "keys", "demo")}
	in, program := filepath.Join(p.dir, version), filepath.Join(p.dir, "web-"+version)
	set = filepath.Join(p.dir, "web-"+version+".nxs")
	if err := packer.Run("go", "build", "-ldflags=-s -w -X main.version="+version, "-o", program,
		"nexus/selftest/demo/web"); err != nil {
		return "", err
	}
	m := demo.Manifest{Name: "web", Version: version, Abilities: demo.Plain, Caps: p.powers()}
	return set, errors.Join(packer.Bundle(m, program, in), p.packGreeting(packer, in, version, greeting),
		packer.Set(in, version, set))
}

// packGreeting packs a data bundle with one file.
func (p page) packGreeting(packer demo.Packer, in, version, greeting string) error {
	pages := filepath.Join(p.dir, "pages-"+version)
	if err := os.Mkdir(pages, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(pages, "greeting"), []byte(greeting), 0o644); err != nil {
		return err
	}
	return packer.Tree("pages", version, pages, in)
}

// powers are what the server asks for, and gets.
func (p page) powers() string {
	return fmt.Sprintf(`"net.listen:tcp/%d", "data:pages", "state:1MiB"`, p.port)
}

// up starts the system with a policy that grants all that, and waits until it is healthy. Not every user can be held to
// a quota.
func (p page) up(factory string) (end func(), err error) {
	rules := fmt.Sprintf("[[allow]]\npublisher = \"*\"\nbundle = \"web\"\npowers = [%s]\nunlimited = true\n", p.powers())
	file := filepath.Join(p.dir, "policy.toml")
	if err := os.WriteFile(file, []byte(rules), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(p.v.Bin, "nx"), "up", "--dir", filepath.Join(p.dir, "sys"),
		"--state", filepath.Join(p.dir, "state"), "--policy", file,
		"--trust", filepath.Join(p.v.Demo, "keys", "demo.pub"), "--factory", factory)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end = func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	}
	for late := time.Now().Add(pagePatience); p.ctx.Err() == nil && time.Now().Before(late); {
		if out, _ := p.nx("--json", "status"); strings.Contains(out, `"healthOk":true`) {
			return end, nil
		}
	}
	end()
	return nil, errors.New("the system is not healthy")
}

// nx operates the system.
func (p page) nx(args ...string) (string, error) {
	out, err := exec.CommandContext(p.ctx, filepath.Join(p.v.Bin, "nx"), append([]string{"--dir",
		filepath.Join(p.dir, "sys")}, args...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("nx %s: %w: %s", args[0], err, out)
	}
	return string(out), nil
}

func (p page) get() (string, error) {
	client := http.Client{Timeout: pagePatience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", p.port))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return strings.TrimSpace(string(text)), err
}

// show prints the page.
func (p page) show(when string) error {
	text, err := p.get()
	if err == nil {
		fmt.Printf("run: the page, %s: %s\n", when, text)
	}
	return err
}

// ask asks for the page without a pause until it is stopped.
func (p page) ask() (stop func() (answered, lost int64)) {
	var all, without atomic.Int64
	ended, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-ended:
				return
			default:
			}
			if _, err := p.get(); err != nil {
				without.Add(1)
			} else {
				all.Add(1)
			}
		}
	}()
	return func() (int64, int64) {
		close(ended)
		<-over
		return all.Load(), without.Load()
	}
}

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nexus/oci/ocitest"
	"nexus/selftest/demo"
	"nexus/selftest/image"
	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// The two machines of TestTwoGuests on their cable, and the port of the registry.
const (
	officeNumber = 2 // the certificate of the registry is for its address
	deviceNumber = 15
	registryPort = 5000
	officePort   = "org.nexus.office"
)

// What TestTwoGuests fetches: so slowly that each interruption is long before the end.
const (
	officePayload = 6 << 20
	officeRate    = "393216" // bytes a second
)

// An office is a guest with an operator and a registry.
type office struct {
	*running
	port   net.Conn
	orders int
}

// opened is an office that has just started, with its registry, which has the set.
func opened(r *running) *office {
	r.t.Helper()
	o := &office{running: r}
	port, err := o.Port(officePort)
	kit.Must(r.t, err)
	r.t.Cleanup(func() { port.Close() })
	o.port = port
	o.order("distribution", "serve", "/etc/registry.yml").says("listening on")
	o.order("nxs-pack", "push", "/etc/data.nxs", officeReference, "--ca", "/etc/registry.pem").ends(true, "data:9")
	return o
}

var officeReference = fmt.Sprintf("oci://%s:%d/data:9", qemu.CableAddress(officeNumber), registryPort)

// An order is a command that runs in the office.
type order struct {
	office *office
	number int
	words  []string
}

// order starts a command.
func (o *office) order(words ...string) order {
	o.t.Helper()
	o.orders++
	_, err := fmt.Fprintln(o.port, strings.Join(words, " "))
	kit.Must(o.t, err)
	return order{o, o.orders, words}
}

// printed returns what a command has printed, and how it ended; empty: it has not.
func (o order) printed(lines []string) (text, end string) {
	for _, line := range lines {
		if said, is := strings.CutPrefix(line, fmt.Sprintf("office: %d: ", o.number)); is {
			text += said + "\n"
		}
		if how, is := strings.CutPrefix(line, fmt.Sprintf("office: %d ended: ", o.number)); is {
			end = how
		}
	}
	return text, end
}

// says waits until the command, which must not end before, has printed a text.
func (o order) says(text string) {
	o.office.t.Helper()
	o.prints(text, func(printed string) bool { return strings.Contains(printed, text) })
}

var percentage = regexp.MustCompile(`: (\d+)% `)

// reaches waits until nx, which must not end before, shows that much of its progress.
func (o order) reaches(percent int) {
	o.office.t.Helper()
	o.prints(fmt.Sprintf("%d%%", percent), func(printed string) bool {
		return slices.ContainsFunc(percentage.FindAllStringSubmatch(printed, -1), func(found []string) bool {
			at, err := strconv.Atoi(found[1])
			return err == nil && at >= percent
		})
	})
}

func (o order) prints(what string, is func(printed string) bool) {
	o.office.t.Helper()
	o.await(what, func(printed, end string) (bool, error) {
		if end != "" && !is(printed) {
			return false, fmt.Errorf("%s, without %s", end, what)
		}
		return is(printed), nil
	})
}

// ends waits for the end of the command, which must be well or not, and must have printed a text.
func (o order) ends(well bool, text string) {
	o.office.t.Helper()
	o.await("its end", func(printed, end string) (bool, error) {
		if end != "" && (well != (end == "exit status 0") || !strings.Contains(printed, text)) {
			return false, fmt.Errorf("%s, want %q", end, text)
		}
		return end != "", nil
	})
}

func (o order) await(what string, holds func(printed, end string) (bool, error)) {
	o.office.t.Helper()
	err := o.office.lines.Await(patience, what, func(lines []string) (bool, error) { return holds(o.printed(lines)) })
	if err != nil {
		printed, _ := o.printed(o.office.console())
		o.office.t.Fatalf("%q: %v\n%s", o.words, err, printed)
	}
}

// officeMachines returns the machines of an office and of a device, joined by a cable.
func officeMachines(t *testing.T) (office, device qemu.Machine) {
	t.Helper()
	all := guests(t)
	if !slices.Contains(all, runtime.GOARCH) {
		t.Skipf("needs the guest %s: the registry and the tools are built for this host", runtime.GOARCH)
	}
	other := slices.IndexFunc(all, func(arch string) bool { return arch != runtime.GOARCH })
	office, device = machineOf(t, runtime.GOARCH), machineOf(t, all[max(other, 0)])
	dir := t.TempDir()
	ends := []string{filepath.Join(dir, "office"), filepath.Join(dir, "device")}
	office.Cable = &qemu.Cable{Here: ends[0], There: ends[1], Number: officeNumber}
	device.Cable = &qemu.Cable{Here: ends[1], There: ends[0], Number: deviceNumber}
	office.Memory, office.Ports = 512, []string{officePort}
	files := officeFiles(t, device.Arch)
	office.Image = officeImage(t, office, files)
	device.Image = imageWith(t, device, map[string]string{
		"/etc/registry.pem": files["/etc/registry.pem"], "/etc/anna.pub": files["/etc/anna"] + ".pub",
	})
	device.Reboots = true
	device.Disk.File = filepath.Join(dir, "disk")
	kit.Must(t, qemu.MakeDisk(device.Disk.File, 128<<20))
	// two emulated machines at once are slow
	office.Wake, device.Wake = 2*time.Minute, 2*time.Minute
	device.Args = []string{"--hang", "2m", "--health-deadline", "5m", "--watchdog", "5m",
		"--listen", fmt.Sprintf("0.0.0.0:%d", remotePort), "--operator", "/etc/anna.pub=operator",
		"--registry-ca", "/etc/registry.pem", "--registry-rate", officeRate}
	return office, device
}

const registryConfig = `version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: /nexus/registry}
http:
  addr: %s:%d
  tls: {certificate: /etc/registry.pem, key: /etc/registry.key}
`

// officeFiles returns what the operator and the registry have in their machine, for a device of that architecture.
func officeFiles(t *testing.T, arch string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	key, config := filepath.Join(dir, "anna"), filepath.Join(dir, "registry.yml")
	tool(t, "nxs-pack", "keygen", "--output", key)
	app, err := demo.Many("../../bin", top().place(arch).at("demo"), 1, dir)
	kit.Must(t, err)
	certificate, secret := ocitest.Certificate(t)
	kit.Must(t, os.WriteFile(config, fmt.Appendf(nil, registryConfig, qemu.CableAddress(officeNumber), registryPort),
		0o600))
	return map[string]string{
		"/etc/registry.yml": config, "/etc/registry.pem": certificate, "/etc/registry.key": secret,
		"/etc/anna": key, "/etc/apps.pub": top().place(arch).at("demo", "keys", "demo.pub"), "/etc/app.nxs": app,
		"/etc/data.nxs": randomSet(t, arch, officePayload), "/etc/system.nxs": set(arch, "system-v1.1.0.nxs"),
	}
}

// officeImage builds the image of an office, in which no part of a system is.
func officeImage(t *testing.T, m qemu.Machine, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	first, path := filepath.Join(dir, "init"), filepath.Join(dir, "initramfs")
	build(t, m.Arch, first, "nexus/selftest/office")
	_, err := image.WriteFile(path, image.Spec{Arch: m.Arch, Binary: first, Modules: m.Kernel.Modules, Files: files,
		Tools: []string{"../../bin/nx", "../../bin/nxs-pack", ocitest.Program(t, ocitest.Distribution)}})
	kit.Must(t, err)
	return path
}

// A pair is an office and a device on one cable.
type pair struct {
	*office
	device   *elsewhere
	machine  qemu.Machine // of the office
	captures []string     // what went over the device's cable, in each run
}

// start starts both machines.
func (p *pair) start(t *testing.T) {
	t.Helper()
	p.device.machine.Capture = filepath.Join(t.TempDir(), "capture")
	p.captures = append(p.captures, p.device.machine.Capture)
	office := up(t, p.machine)
	p.device.again(t)
	p.office = opened(office)
}

// far starts nx in the office, for the device.
func (p *pair) far(args ...string) order {
	p.t.Helper()
	key, err := os.ReadFile(p.device.device)
	kit.Must(p.t, err)
	return p.order(append([]string{"nx", "--to", fmt.Sprintf("%s:%d", qemu.CableAddress(deviceNumber), remotePort),
		"--key", "/etc/anna", "--device-key", "hex-public:" + strings.TrimSpace(string(key))}, args...)...)
}

// An operator in one guest installs an app on another, and updates it: from a registry, and from a file. The cable is
// pulled out and put back, the device is reset in the middle of a fetch, both machines lose their power in the next
// one, and the device is reset during a trial. Each time it goes on where it was, or begins again.
func TestTwoGuests(t *testing.T) {
	office, device := officeMachines(t)
	p := &pair{machine: office, device: &elsewhere{machine: device}}
	p.start(t)
	p.installs(t)
	p.fetches(t)

	update := p.far("update", "--downgrade", "/etc/system.nxs")
	update.says("is on trial")
	p.device.Reset()
	p.device.await("init: health ok (slot a)", 2) // the first one was before the fetch
	p.far("status").ends(true, "1.1.0 in slot a, healthy")
	p.far("verify").ends(true, "")
	p.far("shutdown").ends(true, "is down")
	kit.Must(t, p.device.end())
}

// installs installs an app. The cable is out while that is decided.
func (p *pair) installs(t *testing.T) {
	t.Helper()
	p.far("trust", "add", "--role", "apps", "/etc/apps.pub").ends(true, "")
	install := p.far("install", "/etc/app.nxs")
	install.says("is on trial")
	p.device.Link(false)
	p.device.await("bundlemgrd: app plain-01", 1)
	p.device.Link(true)
	install.ends(true, "plain-01 1.0.0")
}

// fetches has the device fetch a set, with three interruptions.
func (p *pair) fetches(t *testing.T) {
	t.Helper()
	fetch := p.far("update", officeReference)
	fetch.reaches(25)
	p.device.Link(false)
	p.device.nx("status").want(t, 0, "a set is being received")
	p.device.Link(true)
	fetch.reaches(50)
	p.device.Reset()
	fetch.ends(false, "")
	p.device.await("init: health ok (slot a)", 2)

	fetch = p.far("update", officeReference)
	fetch.reaches(75)
	p.device.Kill()
	p.Kill()
	p.device.end()
	p.end()

	p.device.machine.Args = p.device.machine.Args[:len(p.device.machine.Args)-2] // without the rate
	p.start(t)
	p.far("update", officeReference).ends(true, "updated to 9.0.0 in slot b, healthy")
	twice := int64(-officePayload)
	for _, capture := range p.captures {
		came, err := qemu.Received(capture, registryPort)
		kit.Must(t, err)
		twice += came
	}
	if twice < 0 || twice > 3*fetchedTwice {
		t.Errorf("%d bytes came twice because of three interruptions", twice)
	} else {
		t.Logf("%d bytes came twice, or are not payload", twice)
	}
}

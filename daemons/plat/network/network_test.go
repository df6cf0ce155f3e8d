package network_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"nexus/daemons/plat/network"
)

func TestParseInterface(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.2.15::10.0.2.2:255.255.255.0":                  " 10.0.2.15/24 10.0.2.2",
		"10.0.2.15::10.0.2.2:255.255.255.0::eth1:off":        "eth1 10.0.2.15/24 10.0.2.2",
		"192.0.2.1:192.0.2.9::255.255.255.255:name:eth0:off": "eth0 192.0.2.1/32 invalid IP",

		"":                                   "ip= is not ADDRESS::GATEWAY:NETMASK",
		"dhcp":                               "ip=dhcp is not ADDRESS::GATEWAY:NETMASK",
		":::":                                `ip=:::: "" is not an IPv4 address`,
		"::1::10.0.2.2:255.255.255.0":        `ip=::1::10.0.2.2:255.255.255.0: "" is not an IPv4 address`,
		"10.0.2.15:::255.0.255.0":            `ip=10.0.2.15:::255.0.255.0: "255.0.255.0" is not a netmask`,
		"10.0.2.15:::0.0.0.0":                `ip=10.0.2.15:::0.0.0.0: "0.0.0.0" is not a netmask`,
		"10.0.2.15:::24":                     `ip=10.0.2.15:::24: "24" is not a netmask`,
		"10.0.2.15::10.0.3.2:255.255.255.0":  `ip=10.0.2.15::10.0.3.2:255.255.255.0: "10.0.3.2" is not a gateway of 10.0.2.0/24`,
		"10.0.2.15::gateway:255.255.255.0":   `ip=10.0.2.15::gateway:255.255.255.0: "gateway" is not a gateway of 10.0.2.0/24`,
		"10.0.2.256::10.0.2.2:255.255.255.0": `ip=10.0.2.256::10.0.2.2:255.255.255.0: "10.0.2.256" is not an IPv4 address`,
	} {
		i, err := network.ParseInterface(text)
		got := strings.Join([]string{i.Device, i.Address.String(), i.Gateway.String()}, " ")
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// ownNetwork runs a test in a network namespace of its own, on a thread that ends with it.
func ownNetwork(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); errors.Is(err, os.ErrPermission) {
		t.Skipf("needs root: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
}

func TestInterfaceUp(t *testing.T) {
	ownNetwork(t)
	i, err := network.ParseInterface("10.0.2.15::10.0.2.2:255.255.255.0")
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Up(); err == nil || err.Error() != "this machine has no network device" {
		t.Errorf("got %v", err)
	}
	// A device of the kind that hardware has is not to be had in a namespace: a veth stands in, named.
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "net0"}, PeerName: "net1"}
	if err := netlink.LinkAdd(veth); err != nil {
		t.Skipf("this kernel makes no veth: %v", err)
	}
	i.Device = "net0"
	for range 2 { // it is the same if it is there already
		if err := errors.Join(network.LoopbackUp(), i.Up()); err != nil {
			t.Fatal(err)
		}
	}
	addresses, err := netlink.AddrList(veth, netlink.FAMILY_V4)
	if err != nil || len(addresses) != 1 || addresses[0].IPNet.String() != "10.0.2.15/24" {
		t.Errorf("got %v, %v", addresses, err)
	}
	routes, err := netlink.RouteList(veth, netlink.FAMILY_V4)
	if err != nil || len(routes) != 2 {
		t.Errorf("got %v, %v", routes, err)
	}
	i.Device = "none"
	if err := i.Up(); err == nil || !strings.HasPrefix(err.Error(), "cannot find none: ") {
		t.Errorf("got %v", err)
	}
}

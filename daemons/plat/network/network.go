// Package network gives this machine its address, by netlink. It is apart from package plat because the stage, which is
// started for each confined process, would pay for its libraries.
package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
)

// An Interface is what a machine has of a network, as the kernel's parameter ip= has it.
type Interface struct {
	Device  string // empty: the first that is not the loopback
	Address netip.Prefix
	Gateway netip.Addr // the zero value: none
}

// ParseInterface parses the value of the kernel's parameter ip= (nfsroot.rst): ADDRESS::GATEWAY:NETMASK::DEVICE. Only
// addresses that are given are taken: there is no DHCP.
func ParseInterface(text string) (i Interface, err error) {
	fields := strings.Split(text, ":")
	if len(fields) < 4 {
		return i, fmt.Errorf("ip=%s is not ADDRESS::GATEWAY:NETMASK", text)
	}
	address, err := netip.ParseAddr(fields[0])
	if err != nil || !address.Is4() {
		return i, fmt.Errorf("ip=%s: %q is not an IPv4 address", text, fields[0])
	}
	mask, err := netip.ParseAddr(fields[3])
	if err != nil || !mask.Is4() {
		return i, fmt.Errorf("ip=%s: %q is not a netmask", text, fields[3])
	}
	ones, bits := net.IPMask(mask.AsSlice()).Size()
	if bits == 0 || ones == 0 {
		return i, fmt.Errorf("ip=%s: %q is not a netmask", text, fields[3])
	}
	i.Address = netip.PrefixFrom(address, ones)
	if fields[2] != "" {
		if i.Gateway, err = netip.ParseAddr(fields[2]); err != nil || !i.Address.Contains(i.Gateway) {
			return i, fmt.Errorf("ip=%s: %q is not a gateway of %v", text, fields[2], i.Address.Masked())
		}
	}
	if len(fields) > 5 {
		i.Device = fields[5]
	}
	return i, nil
}

// LoopbackUp makes this machine reach itself.
func LoopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("cannot use the loopback: %w", err)
	}
	return nil
}

// Up gives the interface its address.
func (i Interface) Up() error {
	link, err := i.link()
	if err != nil {
		return err
	}
	address := &net.IPNet{IP: i.Address.Addr().AsSlice(), Mask: net.CIDRMask(i.Address.Bits(), 32)}
	if err := netlink.AddrReplace(link, &netlink.Addr{IPNet: address}); err != nil {
		return fmt.Errorf("cannot give %s the address %v: %w", link.Attrs().Name, i.Address, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("cannot use %s: %w", link.Attrs().Name, err)
	}
	if !i.Gateway.IsValid() {
		return nil
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: i.Gateway.AsSlice()}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("cannot use gateway %v: %w", i.Gateway, err)
	}
	return nil
}

func (i Interface) link() (netlink.Link, error) {
	if i.Device != "" {
		link, err := netlink.LinkByName(i.Device)
		if err != nil {
			return nil, fmt.Errorf("cannot find %s: %w", i.Device, err)
		}
		return link, nil
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("cannot list network devices: %w", err)
	}
	for _, link := range links {
		if link.Attrs().Flags&net.FlagLoopback == 0 && link.Type() == "device" {
			return link, nil
		}
	}
	return nil, errors.New("this machine has no network device")
}

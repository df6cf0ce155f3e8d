// Package qemu runs a guest under QEMU: it starts the machine, passes on its console, and lets operators on this host
// reach the guest over a virtio-serial port as if over a local control socket.
//
// It owns one process, QEMU, which does not outlive it, and one folder of sockets. It does not judge what a guest
// prints or does.
package qemu

// Package qemu runs a guest under QEMU: it starts the machine, carries its console out, and lets operators of this host
// in over a virtio-serial port as over a local control socket.
//
// It owns one process, QEMU, which does not outlive it, and one folder of sockets. What a guest prints and does is for
// others to judge.
package qemu

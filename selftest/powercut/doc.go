// Package powercut cuts the power of guests and checks what must hold afterwards, from outside: by the console, by `nx
// --json` and by the bytes on the disk.
//
// TestKill kills QEMU during operation, removes from the disk what a write-back cache may lose, and starts again.
// TestReplay records every write of whole flows, and checks the disk as each barrier, and each loss before the next
// one, would leave it. One seed decides every choice. The package contains only tests.
//
//	NEXUS_GUESTS=riscv64 go test ./selftest/powercut -run TestKill -v -timeout 0 -args -seed 1 -cycles 200
package powercut

// Command powercut cuts the power of guests and asserts what must be true afterwards, from outside: by the console, by
// `nx --json` and by the bytes of the disk.
//
// `powercut kill` kills QEMU in the midst of things, takes from the disk what a write-back cache may lose, and starts
// again. `powercut replay` records every write of whole flows, and looks at the disk as each barrier, and each loss
// before the next one, would leave it. One seed decides everything that is chosen.
package main

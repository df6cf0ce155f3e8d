// Command powercut cuts the power of guests and checks what must hold afterwards, from outside: by the console, by `nx
// --json` and by the bytes on the disk.
//
// `powercut kill` kills QEMU during operation, removes from the disk what a write-back cache may lose, and starts
// again. `powercut replay` records every write of whole flows, and checks the disk as each barrier, and each loss
// before the next one, would leave it. One seed decides every choice.
package main

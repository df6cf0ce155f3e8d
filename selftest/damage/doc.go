// Package damage damages every file and folder of a system in every way that a disk or a hurried hand can, one at a
// time. Three outcomes are allowed: the set runs as before; the other slot comes back, and the console says so; the
// start ends with one line that names what is wrong. Anything else is a violation. It looks from outside only: by the
// console, nx, the folder and /proc. The package contains only tests.
//
//	go test ./selftest/damage                                                          a sample
//	go test ./selftest/damage -run TestCells -v -timeout 0 -args -whole                all cells
//	go test ./selftest/damage -run TestCells -v -args -cell root/rest/system/a=deleted those whose names begin so
package damage

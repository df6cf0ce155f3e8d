// Package mutants proves that the tests can fail. It seeds one fault at a time into the project's own code, runs the
// tests that promise to notice, and wants them red. A fault goes in through the go command's overlay, so no file of the
// tree is touched.
//
//	go test ./selftest/mutants                                        every fault applies (-v: what each breaks)
//	go test ./selftest/mutants -run 'TestMutants/all/ID' -v -args -whole  seed the faults of that name
//
// A mutant is caught when a test fails or runs into its time limit. It is not caught when it does not compile, nor by
// tests that are red without it: they are run first. The package contains only tests.
package mutants

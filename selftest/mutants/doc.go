// Mutants proves that the tests can fail. It seeds one fault at a time into the project's own code, runs the tests that
// promise to notice, and wants them red. A fault goes in through the go command's overlay: no file of the tree is ever
// touched.
//
//	go run ./selftest/mutants [-list] [-only ID,...] [-keep-going=false] [-workers N]
//
// A mutant is caught when a test fails or runs into its time limit. It is not caught when it does not compile, nor by
// tests that are red without it: they are run first. The exit status is 1 if any mutant survived, did not compile or
// did not apply.
package main

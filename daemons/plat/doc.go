// Package plat is where Nexus touches the operating system: spawning, confining and reaping, sockets, sealed memory,
// locks, the clock. It is the only package that talks to x/sys, and it decides nothing.
package plat

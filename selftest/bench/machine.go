package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// origin describes the machine on which the figures were measured.
func origin() string {
	load, _, _ := strings.Cut(line("/proc/loadavg", ""), " ")
	return fmt.Sprintf("\n%s, %d cores, %s, kernel %s, load at the end %s; SHA instructions: %s, AVX-512: %s.\n",
		line("/proc/cpuinfo", "model name"), runtime.NumCPU(), runtime.Version(),
		line("/proc/sys/kernel/osrelease", ""), load, has("sha_ni"), has("avx512bw"))
}

// line is the value of a key in a file of `key : value`, or the first line without a key.
func line(file, key string) string {
	text, _ := os.ReadFile(file)
	for l := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(l, ":")
		switch {
		case key == "":
			return strings.TrimSpace(l)
		case strings.TrimSpace(name) == key:
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func has(flag string) string {
	for _, f := range strings.Fields(line("/proc/cpuinfo", "flags")) {
		if f == flag {
			return "yes"
		}
	}
	return "no"
}

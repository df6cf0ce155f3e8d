package machine

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"nexus/daemons/plat"
	"nexus/libupdates/nxs"
)

// Handed is what one core hands over to the next when the first process executes another core. It is a contract between
// versions: it may only grow, and a core ignores what it does not know. As an argument it is a query (RFC 3986, 3.4)
// after `--handed`; these are always the last two arguments:
//
//	attempt=7     the boot attempt that was counted for the next core, and is not to be counted again
//	core=HEX      SHA-256 of the next core's payload; missing where it is the program that the machine started with
//	image=PATH    that program
//	revoked=WORDS what an operator has revoked, as CLIENT SERVICE; once for each, in their order
//	excuse=WORDS  which of it was revoked last after the attempt was counted; missing: nothing was
//	file.NAME=N   an open file, by its descriptor: see the names below
//
// Whoever can write it could have executed anything as the first process, so it is not checked against the disk again.
type Handed struct {
	Core    nxs.Digest
	Attempt uint64
	Image   string
	Revoked []string
	Excuse  string
	Files   map[string]*os.File
}

// The open files that are handed over, so that the folder stays locked, the socket open and the attempt known.
const (
	HandedProgram  = "program"  // the core itself, in sealed memory, unless it is the image's
	HandedLock     = "lock"     // the folder's lock
	HandedState    = "state"    // the state folder's lock
	HandedRecord   = "record"   // the record of this boot
	HandedWatchdog = "watchdog" // the machine's watchdog, which is not petted meanwhile
	HandedListener = "listen."  // each listening socket of bundles, by its power
	HandedRemote   = "remote"   // the listening socket for operators elsewhere
	HandedSocket   = "socket."  // each listening socket, by its number in the order of the command line
)

// FlagHanded is the argument before a Handed.
const FlagHanded = "--handed"

const handedFile = "file."

// String returns the value of the argument.
func (h Handed) String() string {
	values := url.Values{"attempt": {strconv.FormatUint(h.Attempt, 10)}, "image": {h.Image}}
	if !h.Core.IsZero() {
		values.Set("core", h.Core.String())
	}
	if len(h.Revoked) > 0 {
		values["revoked"] = h.Revoked
	}
	if h.Excuse != "" {
		values.Set("excuse", h.Excuse)
	}
	for name, file := range h.Files {
		values.Set(handedFile+name, strconv.FormatUint(uint64(file.Fd()), 10))
	}
	return values.Encode()
}

// ParseHanded parses the value of the argument, and takes over the files in it.
func ParseHanded(text string) (Handed, error) {
	h, err := readHanded(text)
	if err != nil {
		return Handed{}, fmt.Errorf("cannot take over: %w", err)
	}
	return h, nil
}

func readHanded(text string) (h Handed, err error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return h, err
	}
	if h.Attempt, err = strconv.ParseUint(values.Get("attempt"), 10, 64); err != nil {
		return h, err
	}
	if core := values.Get("core"); core != "" {
		if h.Core, err = nxs.ParseDigest(core); err != nil {
			return h, err
		}
	}
	h.Image, h.Files = values.Get("image"), map[string]*os.File{}
	h.Revoked, h.Excuse = values["revoked"], values.Get("excuse")
	for key := range values {
		name, isFile := strings.CutPrefix(key, handedFile)
		if !isFile {
			continue
		}
		if h.Files[name], err = plat.Inherited(values.Get(key), name); err != nil {
			return h, err
		}
	}
	return h, nil
}

// Given reports whether there was a previous core.
func (h Handed) Given() bool { return h.Image != "" }

// Take returns a file that was handed over, once; nil if there is none.
func (h Handed) Take(name string) *os.File {
	file := h.Files[name]
	delete(h.Files, name)
	return file
}

// files returns the files as a list.
func (h Handed) files() []*os.File {
	var files []*os.File
	for _, file := range h.Files {
		files = append(files, file)
	}
	return files
}

// Close closes the files.
func (h *Handed) Close() {
	for _, file := range h.Files {
		file.Close()
	}
}

// OwnArgs splits a command line into what a person wrote and what a core added.
func OwnArgs(args []string) (own []string, handed string) {
	if n := len(args); n >= 2 && args[n-2] == FlagHanded {
		return args[:n-2], args[n-1]
	}
	return args, ""
}

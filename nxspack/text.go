package nxspack

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"nexus/libupdates/nxs"
)

// show returns a path for messages. It is quoted if it would break the line.
func show(path string) string {
	for _, c := range path {
		if !strconv.IsPrint(c) {
			return strconv.Quote(path)
		}
	}
	return path
}

// plain removes the path from a file error about the object itself.
func plain(err error, object string) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok && path.Path == object {
		return path.Err
	}
	return err
}

// count returns a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// made returns a set's timestamp as text.
func made(x nxs.Index) string {
	if x.TimestampUnixMs == 0 {
		return "0"
	}
	return timeText(x.TimestampUnixMs)
}

package nxspack

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

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
	const year9999 = 253402300799999 // the last one that RFC 3339 can express
	if x.TimestampUnixMs == 0 || x.TimestampUnixMs > year9999 {
		return strconv.FormatUint(x.TimestampUnixMs, 10)
	}
	return time.UnixMilli(int64(x.TimestampUnixMs)).UTC().Format(time.RFC3339)
}

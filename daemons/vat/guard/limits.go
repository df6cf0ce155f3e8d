package guard

import "time"

// Bounds on one message.
const (
	// MaxMessage bounds a message, in bytes: the largest chunk of an archive (1 MiB) or an index (1 MiB) with room for
	// the call around it.
	MaxMessage = 4 << 20
	// MaxSegments bounds the segments of a message.
	MaxSegments = 512
	// MaxDepth bounds how deep pointers nest, in pointers from the root. Our deepest type nests six levels, the call
	// around it four.
	MaxDepth = 32
	// MaxEmptyElements bounds the elements of a list whose elements take no space.
	MaxEmptyElements = 1 << 12
	// MaxCapabilities bounds the capabilities in one message.
	MaxCapabilities = 64
	// MaxTransform bounds the steps of a transform.
	MaxTransform = 16
	// readFactor bounds how often the words of a message may be read, as a multiple of its size.
	readFactor = 8
)

// Bounds on one connection. Where an honest peer could reach one, it waits.
const (
	// MaxImports bounds the references to the peer's capabilities that we hold.
	MaxImports = 4096
	// MaxExports bounds our capabilities that the peer holds.
	MaxExports = 4096
	// MaxBootstraps bounds the bootstraps that the peer has not finished.
	MaxBootstraps = 64
	// MaxCalls bounds the calls that are being computed. Further ones wait.
	MaxCalls = 128
	// MaxWaiting bounds the calls that wait. Beyond it nothing more is read.
	MaxWaiting = 1024
	// MaxCallBytes bounds the bytes of all calls not yet returned. Beyond it nothing more is read.
	MaxCallBytes = 64 << 20
	// MaxAnswers bounds the answers that the peer has not finished. Beyond it calls wait. The library finishes a
	// quarter of a second after the return, so this allows 64 thousand calls a second.
	MaxAnswers = 16384
	// MaxAnswerBytes bounds the bytes of the results that the peer has not finished. Beyond it calls wait; those
	// already under way, at most MaxCalls, still return.
	MaxAnswerBytes = 64 << 20
	// MaxAbandoned bounds our calls that we gave up and the peer has not returned.
	MaxAbandoned = 4096
	// maxLate bounds how many promises that we gave up may still be resolved: the resolve may have been under way.
	maxLate = 1024
	// maxOutbox bounds the guard's own messages that wait to be written.
	maxOutbox = 4096
)

// Bounds on time.
const (
	// GreetTimeout is how long a connection that must begin with a message may be silent.
	GreetTimeout = 10 * time.Second
	// FrameTimeout is how long a message may take from its first byte to its last.
	FrameTimeout = 30 * time.Second
	// WriteTimeout is how long a peer may leave a message unread.
	WriteTimeout = 10 * time.Second
	// StallTimeout is how long a peer may stay at a bound with nothing moving.
	StallTimeout = 10 * time.Second
	// closeTimeout is how long the last messages may take when the connection is closed.
	closeTimeout = 100 * time.Millisecond
	// abortTimeout is how long telling a refused peer the reason may take.
	abortTimeout = 100 * time.Millisecond
)

// patience is how long each wait of one guard may last. A zero greet waits for ever.
type patience struct {
	greet, frame, write, stall time.Duration
}

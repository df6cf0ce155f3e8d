package guard

import "time"

// Bounds on one message.
const (
	// MaxMessage bounds a message, in bytes: the largest chunk of an archive (1 MiB) or an index (1 MiB), with room for
	// the call around it.
	MaxMessage = 4 << 20
	// MaxSegments bounds the segments of a message.
	MaxSegments = 512
	// MaxDepth bounds how deep pointers nest, counted in pointers from the root. Our deepest type nests six levels, the
	// call around it four.
	MaxDepth = 32
	// MaxEmptyElements bounds the elements of a list whose elements have no size.
	MaxEmptyElements = 1 << 12
	// MaxCapabilities bounds the capabilities in one message.
	MaxCapabilities = 64
	// MaxTransform bounds the steps of a transform.
	MaxTransform = 16
	// readFactor bounds how often the words of a message may be read, as a multiple of the message's size.
	readFactor = 8
)

// Bounds on one connection. An honest peer that could reach one waits instead.
const (
	// MaxImports bounds the references that we hold to the peer's capabilities.
	MaxImports = 4096
	// MaxExports bounds our capabilities that the peer holds.
	MaxExports = 4096
	// MaxBootstraps bounds the peer's unfinished bootstraps.
	MaxBootstraps = 64
	// MaxCalls bounds the calls that are being computed. Further calls wait.
	MaxCalls = 128
	// MaxWaiting bounds the calls that wait. At the bound nothing more is read.
	MaxWaiting = 1024
	// MaxCallBytes bounds the bytes of all calls that have not returned. At the bound nothing more is read.
	MaxCallBytes = 64 << 20
	// MaxAnswers bounds the answers that the peer has not finished. At the bound calls wait. The library finishes an
	// answer a quarter of a second after the return, so this allows 64 thousand calls a second.
	MaxAnswers = 16384
	// MaxAnswerBytes bounds the bytes of results that are not finished. At the bound calls wait; those already in
	// flight, at most MaxCalls, still return. Large results without capabilities do not count: the guard finishes them.
	MaxAnswerBytes = 64 << 20
	// MaxAbandoned bounds our calls that we have given up and the peer has not returned.
	MaxAbandoned = 4096
	// maxLate bounds the released promises whose Resolve may still arrive, because it was already on its way.
	maxLate = 1024
	// maxOutbox bounds the guard's own messages that wait to be written.
	maxOutbox = 4096
)

// Bounds on time.
const (
	// GreetTimeout is how long a connection with the Greet option may take to send its first message.
	GreetTimeout = 10 * time.Second
	// FrameTimeout is how long a message may take from its first byte to its last.
	FrameTimeout = 30 * time.Second
	// WriteTimeout is how long a peer may leave a message unread.
	WriteTimeout = 10 * time.Second
	// StallTimeout is how long a peer may stay at a bound with nothing moving.
	StallTimeout = 10 * time.Second
	// closeTimeout is how long the last messages may take when the connection is closed.
	closeTimeout = 100 * time.Millisecond
	// abortTimeout is how long sending the reason to a refused peer may take.
	abortTimeout = 100 * time.Millisecond
)

// patience holds the timeouts of one guard. If greet is zero, the first message may take forever.
type patience struct {
	greet, frame, write, stall time.Duration
}

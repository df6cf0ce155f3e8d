package guard

// A Reason says why a peer was refused. Its text is stable, because logs are searched for it.
type Reason string

// Frames and pointers: this is not a valid message.
const (
	FrameTooBig     Reason = "frame-too-big"     // More bytes than MaxMessage.
	TooManySegments Reason = "too-many-segments" // More segments than MaxSegments.
	// The segment table or a far pointer names a segment that does not exist.
	BadSegment  Reason = "bad-segment"
	OutOfBounds Reason = "out-of-bounds" // A pointer leads outside its segment.
	Overlapping Reason = "overlapping"   // Two pointers lead to the same word: a loop, or an amplification.
	TooDeep     Reason = "too-deep"      // Nested deeper than MaxDepth.
	FarChain    Reason = "far-chain"     // A far pointer's landing pad is not a plain pointer.
	// A pointer or list of unknown kind, or a list that contradicts itself.
	BadPointer Reason = "bad-pointer"
	HugeList   Reason = "huge-list" // A list of more than MaxEmptyElements elements without size.
	Malformed  Reason = "malformed" // A message without the structs that its kind requires.
)

// Kinds: no peer should send this to a vat of our level.
const (
	// A kind of message that the protocol does not have, or no longer has.
	UnknownMessage    Reason = "unknown-message"
	ThirdParty        Reason = "third-party"        // Anything that involves a third vat.
	Unimplemented     Reason = "unimplemented-echo" // We send nothing that a vat may leave unimplemented.
	UnknownTarget     Reason = "unknown-target"     // The target is neither a capability nor an answer.
	UnknownDescriptor Reason = "unknown-descriptor" // A capability of unknown kind.
	UnknownOperation  Reason = "unknown-operation"  // A transform step of unknown kind.
	// A call whose results go elsewhere than to its caller, or a return of that kind.
	ResultsElsewhere Reason = "results-elsewhere"
	UnknownReturn    Reason = "unknown-return"  // A return of unknown kind.
	UnknownResolve   Reason = "unknown-resolve" // A resolve that is neither a capability nor an exception.
)

// Identifiers: the peer refers to something that does not exist.
const (
	ReusedQuestionID Reason = "reused-question-id" // A call or bootstrap with the id of a question that is still open.
	// A target, parameter, finish or disembargo for a question that is not open.
	BadQuestionID   Reason = "bad-question-id"
	BadAnswerID     Reason = "bad-answer-id"     // A return for a question that was not asked or has been answered.
	BadCapabilityID Reason = "bad-capability-id" // A capability that the peer does not hold.
	BadRelease      Reason = "bad-release"       // A release of more references than the peer holds, or of none.
	BadPromiseID    Reason = "bad-promise-id"    // A resolve of something that was not promised.
	BadDisembargo   Reason = "bad-disembargo"    // A disembargo for something that cannot be under an embargo.
)

// Bounds: the peer costs too much.
const (
	TooManyCapabilities Reason = "too-many-capabilities" // More than MaxCapabilities in one message.
	TransformTooLong    Reason = "transform-too-long"    // More than MaxTransform steps.
	TooManyImports      Reason = "too-many-imports"      // The peer gave more than MaxImports references.
	// The peer holds more than MaxExports capabilities, or has that many promises unresolved.
	TooManyExports    Reason = "too-many-exports"
	TooManyBootstraps Reason = "too-many-bootstraps" // More than MaxBootstraps unfinished ones.
	// More than MaxWaiting calls, and none has returned for StallTimeout.
	TooManyCalls      Reason = "too-many-calls"
	AnswersUnfinished Reason = "answers-unfinished" // MaxAnswers or their bytes, and no Finish for StallTimeout.
	// More than MaxAbandoned of our calls are given up and have not returned.
	NeverReturns Reason = "never-returns"
	// The same for forwarded calls, where their caller is at fault: it gave them up.
	GivesUp Reason = "gives-up"
)

// Time: the peer occupies a connection without using it.
const (
	Silent     Reason = "silent"      // No first message within GreetTimeout, if one is required.
	SlowFrame  Reason = "slow-frame"  // A message was not complete within FrameTimeout.
	NeverReads Reason = "never-reads" // A message could not be written within WriteTimeout.
)

// A Refusal is the error that ends a connection whose peer broke the protocol.
type Refusal struct{ Reason Reason }

func (r *Refusal) Error() string { return "peer broke protocol: " + string(r.Reason) }

// refuse returns a Refusal as an error.
func refuse(reason Reason) error { return &Refusal{reason} }

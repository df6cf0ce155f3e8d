package refusal

// Reasons about the archive.
const (
	ArchiveTooLarge Reason = "archive-too-large" // larger than the policy's archive limit
	SizeMismatch    Reason = "size-mismatch"     // a size differs from the one that was announced or signed
	Truncated       Reason = "truncated"         // the input ends too early
	TrailingData    Reason = "trailing-data"     // bytes after the end of the archive or of a message
	BadArchive      Reason = "bad-archive"       // a header is no plain ustar header
	// an entry is a link, a device, an extension header or another non-file
	BadEntryType     Reason = "bad-entry-type"
	BadEntryName     Reason = "bad-entry-name"     // an entry's name is absolute, has `..`, NUL or is not of the format
	MissingEntry     Reason = "missing-entry"      // an entry that the index names is not there
	UnexpectedEntry  Reason = "unexpected-entry"   // an entry that the index does not name
	DuplicateEntry   Reason = "duplicate-entry"    // an entry stands twice
	MisorderedEntry  Reason = "misordered-entry"   // an entry stands in the wrong place
	IndexTooLarge    Reason = "index-too-large"    // the index is over 1 MiB
	ManifestTooLarge Reason = "manifest-too-large" // a manifest is over 256 KiB
	PayloadTooLarge  Reason = "payload-too-large"  // a payload is over the policy's payload limit
	TooManyBundles   Reason = "too-many-bundles"   // more than 256 bundles
)

// Reasons about signature and trust.
const (
	Unsigned           Reason = "unsigned"             // there is no signature entry
	BadSignatureLength Reason = "bad-signature-length" // the signature is not 64 bytes
	InvalidSignature   Reason = "invalid-signature"    // no trusted key made this signature over these bytes
	UntrustedPublisher Reason = "untrusted-publisher"  // a valid signature, by a key that is not trusted for the role
	PublisherMismatch  Reason = "publisher-mismatch"   // the index names another key than the one that signed it
	BadKey             Reason = "bad-key"              // a key file holds no usable key
	MessageTooLong     Reason = "message-too-long"     // whoever holds the key signs no message of that length
)

// Reasons about index and manifest.
const (
	BadIndex         Reason = "bad-index"          // the index is no well-formed message of its schema
	BadManifest      Reason = "bad-manifest"       // a manifest is no well-formed message of its schema
	BadSchemaVersion Reason = "bad-schema-version" // schemaVersion is not 1
	BadBundleName    Reason = "bad-bundle-name"    // a name breaks the bundle name rules
	BadVersion       Reason = "bad-version"        // a version is no SemVer 2.0.0
	// a TOML file lacks a key, has an unknown one, or a value of the wrong kind
	BadMetadata       Reason = "bad-metadata"
	UnknownAbility    Reason = "unknown-ability"    // an ability under `nexus.` that there is not; of packers only
	UnknownCapability Reason = "unknown-capability" // a bundle asks for a capability that the system does not have
	SDKTooOld         Reason = "sdk-too-old"        // a bundle needs a later SDK than the system has
	DigestMismatch    Reason = "digest-mismatch"    // bytes are not those of the signed digest
	// manifest and index, or manifest and folder, name different bundles
	NameMismatch    Reason = "name-mismatch"
	VersionMismatch Reason = "version-mismatch" // manifest and index give different versions
)

// Reasons about state.
const (
	Quarantined     Reason = "quarantined"       // the set was rolled back and waits for an operator
	NotQuarantined  Reason = "not-quarantined"   // there is no such quarantined set
	NothingStaged   Reason = "nothing-staged"    // there is no staged set
	Stale           Reason = "stale"             // the staged set was superseded, discarded or switched to
	StageInProgress Reason = "stage-in-progress" // another stage is under way, or its place is kept
	TrialInProgress Reason = "trial-in-progress" // a slot is on trial
	VersionFloor    Reason = "version-floor"     // the set is older than the version floor
	// the set is older than the one that runs, and nobody said that it may be
	Downgrade         Reason = "downgrade"
	FloorNotLower     Reason = "floor-not-lower"    // the version floor would not become lower
	NoTrial           Reason = "no-trial"           // no slot is on trial
	NoPrevious        Reason = "no-previous"        // there is no good set to return to
	WrongBoot         Reason = "wrong-boot"         // the verdict is about another boot attempt
	SlotMismatch      Reason = "slot-mismatch"      // the slot does not hold the set it should
	UnreadableEntry   Reason = "unreadable-entry"   // a file of a slot's set must not be read by those who have to
	AlreadyActive     Reason = "already-active"     // the set runs already, and is intact
	WrongArchitecture Reason = "wrong-architecture" // a service is no ELF program for this machine
	NoSpace           Reason = "no-space"           // the set does not fit
	Stalled           Reason = "stalled"            // the sender stopped sending, or sent too slowly
	Cancelled         Reason = "cancelled"          // the sender went away, or an operator ended the stage
	Superseded        Reason = "superseded"         // another attempt took its place; another end was ordered before
	IO                Reason = "io"                 // something outside the input failed
)

// Reasons about stored state.
const (
	BadStateKey   Reason = "bad-state-key"   // a key is not of the form that keys of the state have
	NoSuchKey     Reason = "no-such-key"     // nothing is stored under the key
	ValueTooLarge Reason = "value-too-large" // the value is over the limit of values
	QuotaExceeded Reason = "quota-exceeded"  // the prefix has no room for it
	StateDamaged  Reason = "state-damaged"   // what is stored is not what was put there
	ForeignState  Reason = "foreign-state"   // the folder holds something that is no state of this system
)

// Reasons for a rollback.
const (
	ServiceExited      Reason = "service-exited"       // a service of the slot ended
	ServiceUnhealthy   Reason = "service-unhealthy"    // a service says that it fails, or answers with another version
	ServiceStartFailed Reason = "service-start-failed" // a service could not be started
	QuorumLost         Reason = "quorum-lost"          // fewer optional services can be healthy than the set asks for
	SelftestFailed     Reason = "selftest-failed"      // the selftest voted no
	CoreNotReady       Reason = "core-not-ready"       // a daemon did not become ready
	HealthTimeout      Reason = "health-timeout"       // no verdict before the deadline
	PublishFailed      Reason = "publish-failed"       // the slot could not be published
	TriesExhausted     Reason = "tries-exhausted"      // every try was begun and none ended in a verdict
	// a service, or the system, ended again and again while the set was under watch
	CrashLoop  Reason = "crash-loop"
	ByOperator Reason = "operator" // an operator said so
)

// Reasons about the operator's surroundings.
const (
	AlreadyRunning Reason = "already-running" // a system runs in this folder
	NotRunning     Reason = "not-running"     // no system runs in this folder
	// the system went away, or who was asked in it; `nx status` shows what was done
	Disconnected  Reason = "disconnected"
	BadFile       Reason = "bad-file"       // a file that was handed over cannot be read from here
	UnknownBundle Reason = "unknown-bundle" // no published bundle has this name
	UnknownName   Reason = "unknown-name"   // no service has this name, or the name is not granted
	NotGranted    Reason = "not-granted"    // the capability, or the way in, does not give this
	// what the graph shows there cannot be taken back; the answer says what to do instead
	NotRevocable  Reason = "not-revocable"
	NotRunnable   Reason = "not-runnable"    // the bundle's abilities do not allow this
	BadPath       Reason = "bad-path"        // a path that is not of the view
	NoSuchFile    Reason = "no-such-file"    // nothing is at the path
	NotADirectory Reason = "not-a-directory" // the path names a file
	IsADirectory  Reason = "is-a-directory"  // the path names a directory
)

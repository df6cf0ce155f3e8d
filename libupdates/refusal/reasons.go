package refusal

// Reasons about the archive.
const (
	ArchiveTooLarge Reason = "archive-too-large" // larger than the policy's archive limit
	SizeMismatch    Reason = "size-mismatch"     // a size differs from the announced or signed one
	Truncated       Reason = "truncated"         // the input ends too early
	TrailingData    Reason = "trailing-data"     // bytes after the end of the archive or of a message
	BadArchive      Reason = "bad-archive"       // a header is not a plain ustar header, or state has other types
	// an entry is a link, a device, an extension header or another type that is not allowed
	BadEntryType Reason = "bad-entry-type"
	// an entry's name is absolute, contains `..` or NUL, or has the wrong form
	BadEntryName     Reason = "bad-entry-name"
	MissingEntry     Reason = "missing-entry"      // an entry named by the index is missing
	UnexpectedEntry  Reason = "unexpected-entry"   // an entry is not named by the index
	DuplicateEntry   Reason = "duplicate-entry"    // an entry occurs twice
	MisorderedEntry  Reason = "misordered-entry"   // an entry is in the wrong place
	IndexTooLarge    Reason = "index-too-large"    // the index is over 1 MiB
	ManifestTooLarge Reason = "manifest-too-large" // a manifest is over 256 KiB, or those of a set say too much to be published
	PayloadTooLarge  Reason = "payload-too-large"  // a payload is over the policy's payload limit
	TooManyBundles   Reason = "too-many-bundles"   // the set has more than 256 bundles
)

// Reasons about deltas.
const (
	BadPatch    Reason = "bad-patch"    // a patch is signed, but makes no sense
	MissingBase Reason = "missing-base" // a payload that a delta builds on is missing on the device, or damaged there
)

// Reasons about signature and trust.
const (
	Unsigned           Reason = "unsigned"             // there is no signature
	BadSignatureLength Reason = "bad-signature-length" // the signature does not have 64 bytes
	InvalidSignature   Reason = "invalid-signature"    // no trusted key made this signature over these bytes
	// the signature is valid, but its key is not trusted for the role
	UntrustedPublisher Reason = "untrusted-publisher"
	PublisherMismatch  Reason = "publisher-mismatch" // the index names another key than the one that signed it
	BadKey             Reason = "bad-key"            // a key file holds no usable key
	MessageTooLong     Reason = "message-too-long"   // the signer cannot sign a message of that length
	NotTrusted         Reason = "not-trusted"        // the key to remove is not trusted
	LastKey            Reason = "last-key"           // without the key nobody would be trusted for system sets
	TooManyKeys        Reason = "too-many-keys"      // a role has no room for another key
	// a list of signatures is not in the form of one
	BadSignatures     Reason = "bad-signatures"
	TooManySignatures Reason = "too-many-signatures" // more than 64 signatures
	ThresholdNotMet   Reason = "threshold-not-met"   // fewer different keys signed than the role asks for
)

// Reasons about roots.
const (
	BadRoot        Reason = "bad-root"        // a root document is not well formed
	LocksOut       Reason = "locks-out"       // under this root nobody could sign, or the set that runs could not run again
	RootVersion    Reason = "root-version"    // the root is not the successor of the one before it
	WrongFamily    Reason = "wrong-family"    // the root is for other devices
	HasRoot        Reason = "has-root"        // only the root says who is trusted, not a folder of keys
	RootNotPinned  Reason = "root-not-pinned" // the device has no root yet, and this is not the one to begin with
	Expired        Reason = "expired"         // the set, the root or the grant is past its time
	KeyRevoked     Reason = "key-revoked"     // the key that signed is revoked
	SetRevoked     Reason = "set-revoked"     // the root revokes this set
	OutOfScope     Reason = "out-of-scope"    // the keys that signed may not sign for this bundle
	MinimumVersion Reason = "minimum-version" // the version is below the one that the root asks for
)

// Reasons about index and manifest.
const (
	BadIndex         Reason = "bad-index"          // the index is not a well-formed message of its schema
	BadManifest      Reason = "bad-manifest"       // a manifest is not a well-formed message of its schema
	BadSchemaVersion Reason = "bad-schema-version" // schemaVersion is not 1
	BadBundleName    Reason = "bad-bundle-name"    // a bundle's name breaks the naming rules
	BadVersion       Reason = "bad-version"        // a version is not a SemVer 2.0.0
	// a TOML file lacks a key, or has an unknown key or a value of the wrong type
	BadMetadata Reason = "bad-metadata"
	// an ability under `nexus.` does not exist; reported by packers only
	UnknownAbility    Reason = "unknown-ability"
	UnknownCapability Reason = "unknown-capability" // a bundle asks for a capability that the system does not have
	BadPower          Reason = "bad-power"          // a power is out of its bounds, or asked for twice
	SDKTooOld         Reason = "sdk-too-old"        // a bundle needs a newer SDK than the system has
	DigestMismatch    Reason = "digest-mismatch"    // bytes do not match the signed digest
	// manifest and index, or manifest and folder, name different bundles
	NameMismatch    Reason = "name-mismatch"
	VersionMismatch Reason = "version-mismatch" // manifest and index have different versions
	PowersMismatch  Reason = "powers-mismatch"  // manifest and index ask for different powers
	// the payload of a data bundle is not a tree, or a name or link in it leads out of it
	BadTree    Reason = "bad-tree"
	NoSuchData Reason = "no-such-data" // a bundle asks for the data of a bundle that is not a data bundle of its set
)

// Reasons about what bundles may do.
const (
	BadPolicy    Reason = "bad-policy"    // a policy has an error
	PolicyDenied Reason = "policy-denied" // the device's policy does not grant what bundles ask for
	PortTaken    Reason = "port-taken"    // two bundles of a set ask for the same port
)

// Reasons about state.
const (
	Quarantined     Reason = "quarantined"       // the set was rolled back and needs an operator's decision
	NotQuarantined  Reason = "not-quarantined"   // no quarantined set has this digest
	NothingStaged   Reason = "nothing-staged"    // no set is staged
	Stale           Reason = "stale"             // what was staged, or read, was superseded, discarded or switched to
	StageInProgress Reason = "stage-in-progress" // another stage is running or reserved
	TrialInProgress Reason = "trial-in-progress" // a slot is on trial
	VersionFloor    Reason = "version-floor"     // the set is older than the version floor
	// the set is older than the running one, and a downgrade was not allowed
	Downgrade         Reason = "downgrade"
	FloorNotLower     Reason = "floor-not-lower"    // the new version floor is not lower than the current one
	NoTrial           Reason = "no-trial"           // no slot is on trial
	NoPrevious        Reason = "no-previous"        // there is no previous good set, or its key may not sign any more
	WrongBoot         Reason = "wrong-boot"         // the verdict belongs to another boot attempt
	SlotMismatch      Reason = "slot-mismatch"      // the slot does not hold the expected set
	UnreadableEntry   Reason = "unreadable-entry"   // the permission to read a file of a slot's set is missing
	AlreadyActive     Reason = "already-active"     // the set is already running and intact
	WrongArchitecture Reason = "wrong-architecture" // a service is not an ELF program for this machine
	NoSpace           Reason = "no-space"           // there is not enough space for the set
	Stalled           Reason = "stalled"            // the sender stopped, or sent too slowly
	Cancelled         Reason = "cancelled"          // the sender disconnected, or an operator ended the stage
	// another attempt took its place, or another shutdown was requested before
	Superseded Reason = "superseded"
	// the kernel found that bytes of a payload are not what was signed, or cannot keep them verified
	Damaged Reason = "damaged"
	IO      Reason = "io" // an error that is not caused by the input, such as I/O
)

// Reasons about apps.
const (
	NameTaken    Reason = "name-taken"    // a bundle of the system, or another app, has this name
	UnknownApp   Reason = "unknown-app"   // no app with this name is installed
	AppsTogether Reason = "apps-together" // apps that came in one set are upgraded and uninstalled together
	TooManyApps  Reason = "too-many-apps" // the device has no room for another app
)

// Reasons about stored state.
const (
	BadStateKey   Reason = "bad-state-key"   // a state key has the wrong form
	NoSuchKey     Reason = "no-such-key"     // no value is stored under the key
	ValueTooLarge Reason = "value-too-large" // the value is larger than allowed
	QuotaExceeded Reason = "quota-exceeded"  // the quota of the prefix is used up
	StateDamaged  Reason = "state-damaged"   // a stored value is not what was put there
	ForeignState  Reason = "foreign-state"   // the folder or disk holds something else than the state of this system
)

// Reasons for a rollback.
const (
	ServiceExited      Reason = "service-exited"       // a service of the slot exited
	ServiceUnhealthy   Reason = "service-unhealthy"    // a service reports a failure, or another version than expected
	ServiceStartFailed Reason = "service-start-failed" // a service could not be started
	// fewer optional services can become healthy than the set requires
	QuorumLost     Reason = "quorum-lost"
	SelftestFailed Reason = "selftest-failed" // the selftest voted against the set
	CoreNotReady   Reason = "core-not-ready"  // a daemon did not become ready, or could not read the slot
	Hindered       Reason = "hindered"        // the machine keeps services from being started
	Revoked        Reason = "revoked"         // it failed after an operator had revoked something
	HealthTimeout  Reason = "health-timeout"  // no verdict before the deadline
	PublishFailed  Reason = "publish-failed"  // the slot could not be published
	TriesExhausted Reason = "tries-exhausted" // all tries were used up without a verdict
	// a service or the system failed repeatedly while the set was under watch
	CrashLoop  Reason = "crash-loop"
	ByOperator Reason = "operator" // an operator requested it
)

// Reasons about the operator's surroundings.
const (
	AlreadyRunning Reason = "already-running" // a system is already running in this folder
	NotRunning     Reason = "not-running"     // no system is running in this folder
	// the system, or the part of it that was asked, went away; `nx status` shows what was done
	Disconnected  Reason = "disconnected"
	BadFile       Reason = "bad-file"       // a file that was passed cannot be read
	UnknownBundle Reason = "unknown-bundle" // no published bundle has this name
	UnknownName   Reason = "unknown-name"   // no service has this name, or it is not granted
	// the device does not take this key: it does not know it, or it was revoked, or its time is over
	KeyRefused  Reason = "key-refused"
	WrongDevice Reason = "wrong-device" // another device answers than the one whose key was given
	NotGranted  Reason = "not-granted"  // this capability or connection does not grant the operation
	// as many clients are connected as the operation allows
	TooManyClients Reason = "too-many-clients"
	JournalAltered Reason = "journal-altered" // audit records were changed, removed or reordered
	UnknownCrash   Reason = "unknown-crash"   // the journal has no crash report of this number
	HeadNotKept    Reason = "head-not-kept"   // the journal no longer reaches back to the head it is checked against
	// this edge of the graph cannot be revoked; the answer says what to do instead
	NotRevocable  Reason = "not-revocable"
	NotRunnable   Reason = "not-runnable"    // the bundle's abilities do not allow it to run this way
	BadPath       Reason = "bad-path"        // a path is not valid in this view
	NoSuchFile    Reason = "no-such-file"    // no file has this path
	NotADirectory Reason = "not-a-directory" // the path is a file
	IsADirectory  Reason = "is-a-directory"  // the path is a directory
)

// Reasons about registries.
const (
	BadReference        Reason = "bad-reference"        // a reference to a registry has the wrong form
	NotInRegistry       Reason = "not-in-registry"      // the registry does not have what was asked for
	NotASet             Reason = "not-a-set"            // what the registry has there is not a system set
	RegistryDenied      Reason = "registry-denied"      // the registry does not allow it with these credentials
	RegistryUnavailable Reason = "registry-unavailable" // the registry does not answer, or cannot at the moment
	// the registry's certificate is not from a root that is trusted for registries
	UntrustedRegistry Reason = "untrusted-registry"
	BadRegistry       Reason = "bad-registry" // the registry breaks the protocol, or leads elsewhere
)

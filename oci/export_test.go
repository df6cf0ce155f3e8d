package oci

// For tests from outside.
var (
	ManifestOf = manifestOf
	EntriesOf  = entriesOf
)

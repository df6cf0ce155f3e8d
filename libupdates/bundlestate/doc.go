// Package bundlestate keeps the state of bundles: for each a folder of its own, which outlives its versions, and which
// a rollback brings back as it was before the switch.
//
// Nothing is ever restored. What a bundle keeps is a *generation*, which belongs to one version of it: a set on trial
// runs on a copy of the generation of the version before, so the boot record alone says which one counts, and a
// rollback, which is one store of that record, returns code and state together. What no version can return to any more
// is removed.
//
//	<bundle>/<identity>.<trial>.<n>   a generation, a folder or a file as the disk makes them
//	<bundle>/.new                     one that is being made
//	<bundle>/.old                     one that is being removed
//
// A generation gets its name once it is whole and durable. docs/updates/state.md tells the whole story.
package bundlestate

// Package audit is the chain of audit records: each carries the SHA-256 of the one before it, so that the newest hash,
// the head, determines all of them. It hashes records, and says where a list of them was changed, cut or reordered
// (docs/journal.md).
package audit

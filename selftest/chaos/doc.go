// Package chaos tries exhaustively to break the promises of an update. It cuts the power after every durable operation
// of every flow, with every state that a disk may show afterwards; it fails every operation; and it kills every daemon
// at every RPC message. Each time it starts the system again and checks the invariants. It contains only tests;
// docs/reliability.md says what they cover.
package chaos

// Package chaos tries to break the promise, exhaustively: it cuts the power after every durable operation of every flow
// with every state a disk may show afterwards, fails every operation, and kills every daemon at every RPC message, then
// starts again and asserts the invariants. It is tests only and holds no part of a system; docs/reliability.md says
// what it covers.
package chaos

// Package guard stands between a socket and the RPC library's connection. It tracks the state of the connection and
// refuses every message that the library cannot survive or that would cost without bound. It answers only calls that
// can never succeed, knows no interfaces, and keeps nothing after its connection has ended.
//
// A refusal closes one connection, with one Reason. What an honest peer may do is never refused: where it could reach a
// bound (calls in flight, unfinished answers) it has to wait, and is refused only when nothing moves for StallTimeout.
//
// It also does itself what the library does wrong, such as calls on answers that have not returned yet.
// docs/architecture/rpc-guard.md says of each rule what it stands against, and when it may go.
package guard

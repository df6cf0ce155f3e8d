// Package guard stands between a socket and the RPC library's connection. It knows the state of the connection, and
// refuses every message that the library cannot survive or that would cost without bound. It answers no call of its own
// accord but those that can never succeed, knows no interface, and keeps nothing after its connection.
//
// A refusal closes one connection, with one Reason. What an honest peer may do is never refused: where it could run
// into a bound, it is made to wait (calls in flight, answers not yet finished), and is refused only when nothing moves
// for StallTimeout.
//
// What the library at v3.1.0-alpha.2 does not do well, the guard does in its place:
//
//   - A call that refers to an answer waits here until that answer is there, and one that can reach nothing gets its
//     exception from the guard. The library's own handling of pipelined calls has ended processes and hung connections.
//   - Each received capability gets an import id of its own, and each question of the peer an answer id of its own. The
//     library's handling of ids that are used again has ended processes. The price: two references to one remote object
//     do not compare equal.
//   - A promised capability is passed as a hosted one, in both directions, and its Resolve goes no further: calls then
//     go by way of the vat that promised, which the protocol allows to whoever cannot follow promises.
//   - Capabilities in the parameters of our calls are released when the peer returns with releaseParamCaps, which the
//     library ignores.
//
// docs/architecture/rpc-guard.md says of each rule what it stands against, and when it may go.
package guard

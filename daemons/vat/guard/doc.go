// Package guard stands between a socket and the RPC library's connection. It tracks the state of the connection and
// refuses every message that the library cannot survive or that would cost without bound. It answers only calls that
// can never succeed, knows no interfaces, and keeps nothing after its connection has ended.
//
// A refusal closes one connection, with one Reason. What an honest peer may do is never refused: where it could reach a
// bound (calls in flight, unfinished answers) it has to wait, and is refused only when nothing moves for StallTimeout.
//
// The guard works around these defects of the library at v3.1.0-alpha.2:
//
//   - Pipelined calls could crash the process or hang the connection. A call that refers to an answer therefore waits
//     in the guard until the answer has returned, and a call that can reach nothing gets its exception from the guard.
//   - Ids that are used again could crash the process. Each received capability therefore gets an import id of its
//     own, and each question of the peer an answer id of its own. The price: two references to one remote object do
//     not compare equal.
//   - The library keeps each answer until the peer finishes it, and finishes its own questions a quarter of a second
//     late. The guard finishes large answers without capabilities itself, as soon as they have returned.
//   - A promised capability is passed as a hosted one, in both directions, and its Resolve goes no further. Calls then
//     go through the vat that made the promise, which the protocol allows for vats that do not follow promises.
//   - Capabilities in the parameters of our calls are released when the peer returns with releaseParamCaps, which the
//     library ignores.
//
// docs/architecture/rpc-guard.md says of each rule what it stands against, and when it may go.
package guard

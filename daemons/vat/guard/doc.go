// Package guard stands between a socket and the RPC library's connection. It knows the state of the connection, and refuses every
// message that the library cannot survive or that would cost without bound. It answers no call of its own accord but those that can
// never succeed, knows no interface, and keeps nothing after its connection.
//
// A refusal closes one connection, with one Reason. What an honest peer may do is never refused: where it could run into a bound,
// it is made to wait (calls in flight, answers not yet finished), and is refused only when nothing moves for StallTimeout.
//
// What the library at v3.1.0-alpha.2 does not do well, the guard does in its place:
//
//   - A call on an answer, or with an answer's capability among its parameters, waits here until that answer is there: the library's
//     own queue for such calls is where most of its crashes are. A call on an answer that holds no capability there gets its
//     exception from the guard; the library would crash, or call another capability.
//   - Each received capability gets an import id of its own, and each question of the peer an answer id of its own. The library
//     crashes when an id comes again while its last use is being dropped. The price: two references to one remote object do not
//     compare equal.
//   - A promised capability is passed as a hosted one, in both directions, and its Resolve goes no further: calls then go by way
//     of the vat that promised, which the protocol allows to whoever cannot follow promises.
//   - Capabilities in the parameters of our calls are released when the peer returns with releaseParamCaps, which the library ignores.
package guard

// Package cli is the operator's command nx: one file per verb over the control socket of a system. It holds no
// authority of its own and decides nothing: what it can do is what the system's Operator hands out
// (schema/operator.capnp), and what came of it is what the system said.
package cli

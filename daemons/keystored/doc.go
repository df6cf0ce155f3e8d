// Package keystored owns the trusted public keys and answers whether one of them made a signature. It reads them once,
// at its start; it never holds a private key, never interprets what was signed, and never changes what is trusted.
package keystored

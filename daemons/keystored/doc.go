// Package keystored owns the trusted public keys and says which of them, if any, made a signature. It reads the keys
// once, when it starts. It never holds a private key, interprets what was signed, or changes what is trusted.
package keystored

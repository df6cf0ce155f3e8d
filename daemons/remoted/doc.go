// Package remoted implements the daemon that operators reach over the network. It listens on the socket that initd
// opened, speaks TLS with those who prove a key that initd named (package pinned), and passes bytes on between them and
// sockets on which initd serves Operator. It interprets none of these bytes. What strangers send it reaches no other
// process.
package remoted

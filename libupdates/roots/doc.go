// Package roots implements root documents (schema/trust.capnp): which keys may sign what, how many of them, and how
// that changes without touching the devices. All of it is values: a Root says what counts now, a State is what a device
// keeps, and updates of either return a new value or a refusal. Nothing of a document is interpreted before enough keys
// that were known before have signed its raw bytes.
package roots

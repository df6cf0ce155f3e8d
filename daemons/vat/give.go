package vat

import "capnproto.org/go/capnp/v3"

// Give answers a call with one capability, which it takes over: alloc and set are those of the results.
func Give[R any, C ~capnp.ClientKind](alloc func() (R, error), set func(R, C) error, give C) error {
	res, err := alloc()
	if err != nil {
		capnp.Client(give).Release()
		return err
	}
	return set(res, give)
}

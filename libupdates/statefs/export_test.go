package statefs

// EncodeValue returns the content of a file for a value with that full name.
func EncodeValue(name string, value []byte) []byte { return encodeValue(name, value) }

package statefs

// EncodeValue is what a file holds for a value of that full name.
func EncodeValue(name string, value []byte) []byte { return encodeValue(name, value) }

package nxspack

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// maxSignatureText bounds a signature file, in bytes.
const maxSignatureText = 1 << 10

// readSignature reads a signature that was made elsewhere: 64 bytes, or their hex or base64, or a file of minisign or
// signify. Refused as BadSignatureLength, and as InvalidSignature if it is not over raw bytes.
func readSignature(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSignatureText))
	if err != nil {
		return nil, err
	}
	return decodeSignature(raw)
}

func decodeSignature(raw []byte) ([]byte, error) {
	if signature, is, err := trust.ParseMinisign(raw); is {
		if err != nil {
			err = hinted{err, ""} // it says itself what to do
		}
		return signature, err
	}
	text := string(bytes.TrimSpace(raw))
	inHex, _ := hex.DecodeString(text)
	inBase64, _ := base64.StdEncoding.DecodeString(text)
	for _, signature := range [][]byte{raw, inHex, inBase64} {
		if len(signature) == nxs.SignatureSize {
			return signature, nil
		}
	}
	return nil, refusal.New(refusal.BadSignatureLength, "want %d bytes, or their hex or base64", nxs.SignatureSize)
}

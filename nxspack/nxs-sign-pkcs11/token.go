//go:build cgo

package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/asn1"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/pkcs11"
	pkcs11uri "github.com/stefanberger/go-pkcs11uri"
)

// Names of PKCS#11 3.0 for Ed25519, which the library does not have.
const (
	keyEdwards = 0x40   // CKK_EC_EDWARDS
	eddsa      = 0x1057 // CKM_EDDSA
)

// anyToken is the module for a URI that names none: it has the tokens of all modules that are configured.
const anyToken = "p11-kit-proxy.so"

// A token is a session with the token of a key.
type token struct {
	uri     *pkcs11uri.Pkcs11URI
	module  *pkcs11.Ctx
	session pkcs11.SessionHandle
}

// An edKey is a key pair in a token.
type edKey struct {
	public  ed25519.PublicKey
	label   string
	private pkcs11.ObjectHandle
}

// openToken opens a session with the one token that matches. With a pin-source it is logged in.
func openToken(text string) (*token, error) {
	uri := pkcs11uri.New()
	if err := uri.Parse(text); err != nil {
		return nil, errors.New("it is not a PKCS#11 URI (RFC 7512)")
	}
	if _, given := uri.GetQueryAttribute("pin-value", false); given {
		return nil, errors.New("a PIN in the URI can be read by everybody on this machine")
	}
	t := &token{uri: uri}
	if err := t.load(); err != nil {
		return nil, err
	}
	if err := t.open(); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// load loads the module that the URI names.
func (t *token) load() error {
	name := anyToken
	_, path := t.uri.GetQueryAttribute("module-path", false)
	_, named := t.uri.GetQueryAttribute("module-name", false)
	if path || named {
		t.uri.SetAllowAnyModule(true)
		t.uri.SetModuleDirectories([]string{"/usr/lib/pkcs11", "/usr/lib64/pkcs11", "/usr/lib/softhsm"})
		found, err := t.uri.GetModule()
		if err != nil {
			return fmt.Errorf("cannot find module: %w", err)
		}
		name = found
	}
	if t.module = pkcs11.New(name); t.module == nil {
		return fmt.Errorf("cannot load module %s", name)
	}
	if err := t.module.Initialize(); err != nil {
		t.module.Destroy()
		return fmt.Errorf("cannot use module %s: %w", name, err)
	}
	return nil
}

// open opens a session, and logs in if the URI says where the PIN is.
func (t *token) open() error {
	slot, err := t.slot()
	if err != nil {
		return err
	}
	if t.session, err = t.module.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION); err != nil {
		return fmt.Errorf("cannot open session: %w", err)
	}
	if !t.uri.HasPIN() {
		return nil
	}
	pin, err := t.uri.GetPIN()
	if err != nil {
		return fmt.Errorf("cannot read PIN: %w", err)
	}
	return t.login(strings.TrimRight(pin, "\r\n"))
}

// slot returns the one slot whose token matches the URI.
func (t *token) slot() (uint, error) {
	slots, err := t.module.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("cannot list tokens: %w", err)
	}
	var found []uint
	for _, slot := range slots {
		info, err := t.module.GetTokenInfo(slot)
		if err == nil && t.is("token", info.Label) && t.is("serial", info.SerialNumber) &&
			t.is("manufacturer", info.ManufacturerID) && t.is("model", info.Model) &&
			t.is("slot-id", strconv.FormatUint(uint64(slot), 10)) {
			found = append(found, slot)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d tokens match the URI, want one", len(found))
	}
	return found[0], nil
}

// is reports whether an attribute of the URI, if it has it, is this. Tokens fill their texts with blanks.
func (t *token) is(attribute, value string) bool {
	want, given := t.uri.GetPathAttribute(attribute, false)
	return !given || want == strings.TrimRight(value, " \x00")
}

// login logs in as the token's user.
func (t *token) login(pin string) error {
	err := t.module.Login(t.session, pkcs11.CKU_USER, pin)
	if err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
		return fmt.Errorf("cannot log in: %w", err)
	}
	return nil
}

// find returns the one key pair that matches the URI.
func (t *token) find() (*edKey, error) {
	public, err := t.one(pkcs11.CKO_PUBLIC_KEY)
	if err != nil {
		return nil, fmt.Errorf("cannot find public key: %w", err)
	}
	private, err := t.one(pkcs11.CKO_PRIVATE_KEY)
	if err != nil {
		return nil, fmt.Errorf("cannot find private key: %w", err)
	}
	attributes, err := t.module.GetAttributeValue(t.session, public, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil), pkcs11.NewAttribute(pkcs11.CKA_LABEL, nil),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read public key: %w", err)
	}
	point := attributes[0].Value
	var inner []byte // tokens give the point as it is, or as a DER octet string
	if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
		point = inner
	}
	if len(point) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("the key is not Ed25519: its point has %d bytes", len(point))
	}
	return &edKey{bytes.Clone(point), string(attributes[1].Value), private}, nil
}

// one returns the one Edwards key of a class that matches the URI.
func (t *token) one(class uint) (pkcs11.ObjectHandle, error) {
	template := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, uint(keyEdwards)),
	}
	if label, given := t.uri.GetPathAttribute("object", false); given {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, label))
	}
	if id, given := t.uri.GetPathAttribute("id", false); given {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(id)))
	}
	if err := t.module.FindObjectsInit(t.session, template); err != nil {
		return 0, err
	}
	found, _, err := t.module.FindObjects(t.session, 2)
	if err := errors.Join(err, t.module.FindObjectsFinal(t.session)); err != nil {
		return 0, err
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d Ed25519 keys match the URI, want one", len(found))
	}
	return found[0], nil
}

// sign signs in one piece: few tokens know Ed25519 in several.
func (t *token) sign(key *edKey, message []byte) ([]byte, error) {
	mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(eddsa, nil)}
	if err := t.module.SignInit(t.session, mechanism, key.private); err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	raw, err := t.module.Sign(t.session, message)
	if err != nil {
		return nil, fmt.Errorf("cannot sign %d bytes: %w", len(message), err)
	}
	return raw, nil
}

// close ends the session. What it could complain about is over.
func (t *token) close() {
	_ = t.module.Finalize()
	t.module.Destroy()
}

package convert_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/registry"
	"nexus/daemons/convert"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/refusal"
)

// A failing registrar fails every call with its error.
type failing struct{ err error }

func (f failing) Register(context.Context, registry.Registrar_register) error { return f.err }

// across fails a call with the error behind this many connections, as if processes forwarded it, and returns the error
// that the caller gets.
func across(t *testing.T, connections int, cause error) error {
	t.Helper()
	client := capnp.Client(registry.Registrar_ServerToClient(failing{cause}))
	for range connections {
		client = vattest.Link(t, client)
	}
	defer client.Release()
	answer, release := registry.Registrar(client).Register(t.Context(), nil)
	defer release()
	_, err := answer.Struct()
	return err
}

// What AppInstaller and what it returns refuse by exceptions keeps its reason.
func TestRefusalsOfAppsCross(t *testing.T) {
	for _, reason := range []refusal.Reason{refusal.UnknownApp, refusal.BadBundleName, refusal.BadKey,
		refusal.NotGranted} {
		err := convert.Excepted(across(t, 1, convert.Except(refusal.New(reason, "as it is"))))
		if refusal.Of(err) != reason || refusal.DetailOf(err) != "as it is" {
			t.Errorf("%s arrives as %v (%s)", reason, err, refusal.Of(err))
		}
	}
}

func TestARefusalCrossesAsAnException(t *testing.T) {
	refused := refusal.New(refusal.UnknownName, "no service has this name: or so it seems")
	for name, cause := range map[string]error{"a refusal": refused,
		"a wrapped one": fmt.Errorf("cannot look up: %w", refused)} {
		for connections := range 4 {
			err := convert.Excepted(across(t, connections, convert.Except(cause)))
			if refusal.Of(err) != refusal.UnknownName || refusal.DetailOf(err) != refusal.DetailOf(refused) {
				t.Errorf("%s arrives over %d connections as %v (%s)", name, connections, err, refusal.Of(err))
			}
		}
	}
}

// TestOtherErrorsStayWhatTheyAre has errors whose text resembles a refusal's.
func TestOtherErrorsStayWhatTheyAre(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		text string
	}{
		{"a fault", errors.New("disk on fire"), "disk on fire"},
		{"a reason that is not the first word", errors.New("cannot read: unknown-name: none"),
			"cannot read: unknown-name: none"},
		{"a reason without a detail", errors.New("unknown-name"), "unknown-name"},
		{"a word that is no reason", errors.New("unknown-word: none"), "unknown-word: none"},
		{"a reason that is data in its method", errors.New("quarantined: a set"), "quarantined: a set"},
		{"a lost connection", exc.New(exc.Disconnected, "", "unknown-name: none"), "unknown-name: none"},
		{"a method that is not there", exc.New(exc.Unimplemented, "", "unknown-name: none"), "unknown-name: none"},
	} {
		got := across(t, 2, convert.Except(c.err))
		if refusal.Of(convert.Excepted(got)) != refusal.IO || convert.Text(got) != c.text {
			t.Errorf("%s arrives as %v, text %q", c.name, convert.Excepted(got), convert.Text(got))
		}
	}
	if convert.Except(nil) != nil || convert.Excepted(nil) != nil {
		t.Error("no error became one")
	}
}

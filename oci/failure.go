package oci

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"nexus/libupdates/refusal"
)

// refused returns the refusal for what went wrong with a registry. Its text has neither queries of addresses, which may
// carry credentials, nor words of the registry.
func (c *Client) refused(ctx context.Context, err error) error {
	var status *errcode.ErrorResponse
	switch host := c.ref.name.Registry; {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case refusal.Of(err) != refusal.IO:
		return refusal.New(refusal.Of(err), "%s: %s", host, refusal.DetailOf(err))
	case errors.As(err, &status):
		return answered(host, status)
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return refusal.New(refusal.RegistryDenied, "%s asks for credentials", host)
	case errors.Is(err, errdef.ErrNotFound):
		return refusal.New(refusal.NotInRegistry, "%s has no %s", host, c.ref)
	case untrusted(err):
		return refusal.New(refusal.UntrustedRegistry, "%s: %s", host, cause(err))
	case broken(err):
		return refusal.New(refusal.RegistryUnavailable, "%s: %s", host, cause(err))
	default:
		return refusal.New(refusal.BadRegistry, "%s: %s", host, cause(err))
	}
}

// answered returns the refusal for a status.
func answered(host string, resp *errcode.ErrorResponse) error {
	reason := refusal.BadRegistry
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		reason = refusal.RegistryDenied
	case code == http.StatusNotFound:
		reason = refusal.NotInRegistry
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout ||
		code >= http.StatusInternalServerError:
		reason = refusal.RegistryUnavailable
	}
	return refusal.New(reason, "%s answered %d %s", host, resp.StatusCode, http.StatusText(resp.StatusCode))
}

// untrusted reports whether a certificate was refused.
func untrusted(err error) bool {
	var bad *tls.CertificateVerificationError
	return errors.As(err, &bad)
}

// cut reports whether a connection ended early.
func cut(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || strings.HasSuffix(err.Error(), closedAtOnce)
}

// closedAtOnce ends the text of net/http's error for a connection that was closed before it was used. It has no name.
const closedAtOnce = "server closed idle connection"

// maxCause is how much of an error's text is shown.
const maxCause = 160

// queries of addresses. Compiled where an error is shown: most programs with this package never do.
const queries = `\?[^\s"]*`

// inner returns the error below those that say which request failed.
func inner(err error) error {
	var request *url.Error
	for errors.As(err, &request) {
		err = request.Err
	}
	return err
}

// cause returns an error's text in one printable line, without addresses.
func cause(err error) string {
	text := regexp.MustCompile(queries).ReplaceAllString(inner(err).Error(), "")
	text = strings.Map(func(c rune) rune {
		if !strconv.IsPrint(c) {
			return ' '
		}
		return c
	}, text)
	if len(text) > maxCause {
		text = strings.ToValidUTF8(text[:maxCause], "") + "..."
	}
	return text
}

package nxspack

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"

	"nexus/libupdates/trust"
)

// passphrase returns a Passphrase that asks on the terminal and fails if there is none.
func (c *command) passphrase(ctx context.Context, key string) trust.Passphrase {
	return func() ([]byte, error) {
		return c.askFor(ctx, "Passphrase", key, trust.NoPassphrase)
	}
}

// askFor asks for a secret of a key on the terminal. Without a terminal, it is what none returns.
func (c *command) askFor(ctx context.Context, secret, key string, none trust.Passphrase) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return none()
	}
	defer tty.Close()
	c.publishing.Lock() // the command must not exit with the terminal's echo off
	defer c.publishing.Unlock()
	return ask(ctx, tty, fmt.Sprintf("%s of %s: ", secret, show(key)))
}

// ask prompts and reads a line without echo. When the context ends, it restores the terminal.
func ask(ctx context.Context, tty *os.File, prompt string) ([]byte, error) {
	was, err := term.GetState(int(tty.Fd()))
	if err != nil {
		return nil, err
	}
	fmt.Fprint(tty, prompt)
	defer fmt.Fprintln(tty)
	type line struct {
		text []byte
		err  error
	}
	lines := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(int(tty.Fd()))
		lines <- line{text, err}
	}()
	select {
	case l := <-lines:
		return l.text, l.err
	case <-ctx.Done():
		if err := term.Restore(int(tty.Fd()), was); err != nil {
			return nil, err
		}
		return nil, context.Cause(ctx)
	}
}

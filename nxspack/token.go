package nxspack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh/agent"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// tokenProgram signs with keys in PKCS#11 tokens. It is a program of its own because the module of a token is a C
// library. It speaks ssh-agent's protocol: unlock takes the PIN, list returns the key, sign signs raw bytes.
const tokenProgram = "nxs-sign-pkcs11"

// pinSource in a URI says where the token's program finds the PIN.
const pinSource = "pin-source="

// tokenSigner starts the program for a URI, and asks for the PIN. The program ends with the packer.
func (c *command) tokenSigner(ctx context.Context, uri string) (trust.Signer, error) {
	if err := trust.CheckTokenURI(uri); err != nil {
		return nil, err
	}
	program, err := findBeside(tokenProgram)
	if err != nil {
		return nil, hinted{refusal.New(refusal.BadKey, "%v", err),
			"`make pkcs11` builds " + tokenProgram + ", which needs a C compiler"}
	}
	token := &tokenAgent{process: exec.CommandContext(ctx, program, uri)}
	if err := token.start(); err != nil {
		return nil, err
	}
	client := agent.NewClient(token)
	if !strings.Contains(uri, pinSource) {
		pin, err := c.askFor(ctx, "PIN", uri, noPIN)
		if err != nil {
			return nil, err
		}
		err = client.Unlock(pin)
		clear(pin)
		if err != nil {
			return nil, token.failed(err)
		}
	}
	return trust.TokenSigner(client, token.failed)
}

// noPIN is for a packer without a terminal.
func noPIN() ([]byte, error) {
	return nil, hinted{refusal.New(refusal.BadKey, "there is no terminal to ask for the PIN"),
		"name a file with the PIN in the URI: pin-source=file:/PATH"}
}

// findBeside returns a program's path: where this one is, or else on the search path.
func findBeside(name string) (string, error) {
	if own, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(own), name)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is neither beside this program nor on the search path", name)
	}
	return path, nil
}

// A tokenAgent is the running program: what is written to it are requests, what is read from it answers.
type tokenAgent struct {
	process *exec.Cmd
	in      io.WriteCloser
	out     io.ReadCloser
	said    said
}

func (t *tokenAgent) start() (err error) {
	if t.in, err = t.process.StdinPipe(); err != nil {
		return err
	}
	if t.out, err = t.process.StdoutPipe(); err != nil {
		return err
	}
	t.process.Stderr = &t.said
	return t.process.Start()
}

func (t *tokenAgent) Read(p []byte) (int, error)  { return t.out.Read(p) }
func (t *tokenAgent) Write(p []byte) (int, error) { return t.in.Write(p) }

// failed says why the program did not do what it was asked, in its own words. It ends the program, so that these are
// complete.
func (t *tokenAgent) failed(err error) error {
	t.in.Close()
	_ = t.process.Wait() // its status adds nothing to what it said
	if line := t.said.last(); line != "" {
		err = errors.New(line)
	}
	return hinted{refusal.New(refusal.BadKey, "%v", err),
		"`pkcs11-tool --list-token-slots` and `--list-objects` show tokens and keys"}
}

// said keeps the beginning of what a program prints.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// maxSaid bounds it, in bytes.
const maxSaid = 4 << 10

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p[:min(len(p), maxSaid-s.text.Len())])
	return len(p), nil
}

// last returns the last line, without what could disturb a terminal.
func (s *said) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(s.text.String()), "\n")
	return show(lines[len(lines)-1])
}

package trust

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"nexus/libupdates/refusal"
)

// An agentKey signs with a key in an agent, which the private key never leaves.
type agentKey struct {
	signer ssh.Signer
	public PublicKey
	holder
}

// A holder is what has the key.
type holder struct {
	name   string            // for messages
	most   int64             // the longest request that it accepts, in bytes
	failed func(error) error // says why it did not do what it was asked
}

func (a agentKey) Public() PublicKey { return a.public }

// Sign asks the agent to sign. A message too long for an agent is refused as MessageTooLong before anything is sent.
func (a agentKey) Sign(message []byte) ([]byte, error) {
	if err := a.fits(int64(len(message))); err != nil {
		return nil, err
	}
	signature, err := a.signer.Sign(nil, message)
	if err != nil {
		return nil, a.failed(err)
	}
	if !ed25519.Verify(a.public[:], message, signature.Blob) {
		return nil, errors.New("cannot sign by " + a.name + ": its signature does not verify")
	}
	return signature.Blob, nil
}

// silent is for ssh-agent, which does not give a reason.
func silent(err error) error {
	return fmt.Errorf("cannot sign by ssh-agent, which does not give a reason: "+
		"its user refused or could not be asked (ssh-add -c), "+
		"or the key has expired (ssh-add -t) or was removed: %w", err)
}

// SignFrom is like Sign: every message that an agent accepts fits into memory.
func (a agentKey) SignFrom(message Message) ([]byte, error) {
	if err := a.fits(message.Size()); err != nil {
		return nil, err
	}
	whole := make([]byte, message.Size())
	if _, err := io.ReadFull(io.NewSectionReader(message, 0, message.Size()), whole); err != nil {
		return nil, err
	}
	return a.Sign(whole)
}

// maxAgentMessage is the longest message, in bytes, that OpenSSH's agent accepts (AGENT_MAX_LEN); on a longer one it
// closes the connection. A sign request has a type byte, the key and the data with a length of four bytes each, and
// four bytes of flags.
const (
	maxAgentMessage = 256 << 10
	agentOverhead   = 1 + 4 + 4 + 4
)

func (a agentKey) fits(size int64) error {
	if most := a.most - agentOverhead - int64(len(a.signer.PublicKey().Marshal())); size > most {
		return refusal.New(refusal.MessageTooLong,
			"%s signs at most %d bytes, the message has %d", a.name, most, size)
	}
	return nil
}

// maxTokenMessage is the longest request that the agent of a token accepts, in bytes: more than any index has.
const maxTokenMessage = 4 << 20

// TokenSigner returns the one Ed25519 key of an agent that was started for it. failed says why the agent did not do
// what it was asked.
func TokenSigner(client agent.Agent, failed func(error) error) (Signer, error) {
	found, err := matching(client, func(*agent.Key, PublicKey) bool { return true })
	if err != nil {
		return nil, failed(err)
	}
	if len(found) != 1 {
		return nil, refusal.New(refusal.BadKey, "the token has %d Ed25519 keys, want one", len(found))
	}
	found[0].holder = holder{"the token", maxTokenMessage, failed}
	return found[0], nil
}

// agentSigner returns the one Ed25519 key in the agent that matches. The connection to the agent stays open until the
// process exits, because a signer serves one command.
func agentSigner(wanted func(*agent.Key, PublicKey) bool) (Signer, error) {
	conn, err := net.Dial("unix", os.Getenv("SSH_AUTH_SOCK"))
	if err != nil {
		return nil, refusal.New(refusal.BadKey, "cannot reach ssh-agent: is SSH_AUTH_SOCK set?")
	}
	found, err := matching(agent.NewClient(conn), wanted)
	if err == nil && len(found) != 1 {
		err = refusal.New(refusal.BadKey, "ssh-agent has %d matching Ed25519 keys, want one", len(found))
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return found[0], nil
}

// matching returns the matching Ed25519 keys in the agent.
func matching(client agent.Agent, wanted func(*agent.Key, PublicKey) bool) ([]*agentKey, error) {
	signers, err := client.Signers()
	if err != nil {
		return nil, fmt.Errorf("cannot list the keys in ssh-agent: %w", err)
	}
	var found []*agentKey
	for _, signer := range signers {
		key, ok := signer.PublicKey().(*agent.Key)
		if !ok {
			continue
		}
		held, err := ssh.ParsePublicKey(key.Blob)
		if err != nil {
			continue
		}
		if public, err := fromSSH(held); err == nil && wanted(key, public) {
			found = append(found, &agentKey{signer, public, holder{"ssh-agent", maxAgentMessage, silent}})
		}
	}
	return found, nil
}

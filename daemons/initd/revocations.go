package initd

import (
	"slices"
	"strings"
	"sync"

	"nexus/daemons/initd/machine"
	"nexus/libupdates/health"
)

// revocations are what operators have revoked and not granted again, as they typed it. They survive a change of core: a
// new core is no reason to give anything back.
type revocations struct {
	mu    sync.Mutex
	words []string           // as `CLIENT SERVICE`, the latest last
	now   health.Revocations // since the previous core's attempt was counted, or since the start
	begun uint64             // how many of them were made before the current attempt
	left  bool               // the next core has them: changes are refused
}

// newRevocations begins with what the previous core handed over.
func newRevocations(left machine.Handed) *revocations {
	r := &revocations{words: slices.Clone(left.Revoked)}
	if left.Excuse != "" {
		r.now = health.Revocations{Count: 1, Last: left.Excuse}
	}
	return r
}

// Revoke notes a revocation that is about to take effect. It refuses it once the next core has the list.
func (r *revocations) Revoke(client, service string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left {
		return errGoingOn
	}
	word := client + " " + service
	r.words = append(r.words, word)
	if !isWayIn(client) { // no service of a set depends on one
		r.now = health.Revocations{Count: r.now.Count + 1, Last: word}
	}
	return nil
}

// Grant notes a grant that is about to take effect. It refuses it like a revocation.
func (r *revocations) Grant(client, service string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left {
		return errGoingOn
	}
	word := client + " " + service
	r.words = slices.DeleteFunc(r.words, func(w string) bool { return w == word })
	return nil
}

// all returns the counts for the trial.
func (r *revocations) all() health.Revocations {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// each calls do with each revocation.
func (r *revocations) each(do func(client, service string)) {
	r.mu.Lock()
	words := slices.Clone(r.words)
	r.mu.Unlock()
	for _, word := range words {
		client, service, _ := strings.Cut(word, " ")
		do(client, service)
	}
}

// attempted records how many revocations were made before the attempt that a core is to take over.
func (r *revocations) attempted(before uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun = before
}

// leave gives them to the next core. From then on changes are refused, because they would be lost.
func (r *revocations) leave(next *machine.Handed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left, next.Revoked = true, slices.Clone(r.words)
	if r.now.Count != r.begun {
		next.Excuse = r.now.Last
	}
}

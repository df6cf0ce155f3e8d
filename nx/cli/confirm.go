package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"nexus/libupdates/refusal"
)

// confirm asks whether something harmful is really meant, unless --yes was given. If there is no terminal to ask on, it
// refuses.
func (t *terminal) confirm(ctx context.Context, said bool, question string) error {
	switch {
	case said:
		return nil
	case !t.host.Asks || t.json:
		return &failure{text: "nobody can be asked whether this is meant", reason: reasonUsage,
			hint: "say so with --yes"}
	}
	fmt.Fprintf(t.host.Stderr, "%s [y/N] ", clean(question))
	answered := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(t.host.Stdin).ReadString('\n')
		answered <- line
	}()
	select {
	case line := <-answered:
		if answer := strings.ToLower(strings.TrimSpace(line)); answer == "y" || answer == "yes" {
			return nil
		}
		return refusal.New(refusal.Cancelled, "not confirmed")
	case <-ctx.Done():
		return ctx.Err()
	}
}

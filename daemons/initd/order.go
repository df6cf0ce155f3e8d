package initd

import (
	"context"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
)

// orderPatience is how long an end that was ordered waits for updated to note it. A system that cannot is taken down
// all the same.
const orderPatience = 5 * time.Second

// orderEnd has the end noted in the boot record while it can be, durably: the next boot is then a commanded one, and
// the attempt that ends with this boot costs nothing. Without a state folder there is no next boot that could read it.
func (s *system) orderEnd() {
	if s.config.State == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), orderPatience)
	defer cancel()
	err := s.holdings["HealthGate"].Call(ctx, func(client capnp.Client) error {
		answer, release := update.HealthGate(client).BootEnds(ctx, nil)
		defer release()
		_, err := answer.Struct()
		return err
	})
	if err != nil {
		s.log.Warn("cannot note that the end was ordered", "error", err)
	}
}

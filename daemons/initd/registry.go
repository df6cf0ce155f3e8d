package initd

import (
	"flag"
	"fmt"
	"os"

	"nexus/daemons/plat"
)

const (
	fetchName           = "fetchd"
	registryCredentials = "registry-credentials"
	registryRoots       = "registry-ca"
	registryRate        = "registry-rate"
)

// minRate is the least rate at which a transfer does not stall.
const minRate = 16 << 10

// Registry is how sets are fetched from registries.
type Registry struct {
	Credentials string // file in the format of Docker's config.json; empty: none
	Roots       string // file of certificates in place of those that the machine trusts; empty: none
	Rate        int64  // bytes a second at most; 0: no limit
}

func (r *Registry) flags(set *flag.FlagSet) {
	set.StringVar(&r.Credentials, registryCredentials, "", "`file` of credentials for registries, as Docker's config.json")
	set.StringVar(&r.Roots, registryRoots, "", "`file` of certificates of which one must vouch for a registry")
	set.Int64Var(&r.Rate, registryRate, 0, "the most `bytes` a second to fetch from a registry; 0: no limit")
}

func (r Registry) check() error {
	if r.Rate != 0 && r.Rate < minRate {
		return fmt.Errorf("cannot start: a registry's rate must be 0, or at least %d bytes a second", minRate)
	}
	return nil
}

// openRegistry opens the files for fetchd, which alone reads them. Where there is none, it gets one without content.
func (r *resources) openRegistry(config Registry) (err error) {
	for name, path := range map[string]string{registryCredentials: config.Credentials, registryRoots: config.Roots} {
		if path == "" {
			r.files[name], err = plat.Memory(name)
		} else {
			r.files[name], err = os.Open(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

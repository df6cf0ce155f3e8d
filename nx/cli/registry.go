package cli

import (
	"strconv"

	"nexus/libupdates/nxs"
)

// registryFlags say how a system fetches sets from registries.
type registryFlags struct {
	RegistryCredentials string   `placeholder:"FILE" help:"Credentials for registries, in the format of Docker's config.json. Only fetchd reads them."`
	RegistryCA          string   `name:"registry-ca" placeholder:"FILE" help:"Certificates, PEM, of which one must vouch for a registry. Default: those that this machine trusts; a registry on this machine is then spoken to without TLS."`
	RegistryRate        nxs.Size `placeholder:"SIZE" help:"The most bytes a second to fetch from a registry, 16KiB or more (default: no limit)."`
}

// minRegistryRate is the least rate at which a transfer does not stall.
const minRegistryRate = 16 << 10

func (f registryFlags) check() error {
	if f.RegistryRate != 0 && f.RegistryRate < minRegistryRate {
		return wrongUsage("--registry-rate must be at least 16KiB")
	}
	for _, file := range []string{f.RegistryCredentials, f.RegistryCA} {
		if file == "" {
			continue
		}
		if _, err := regular(file); err != nil {
			return cannot("use", file, err)
		}
	}
	return nil
}

// argv returns initd's flags.
func (f registryFlags) argv() (argv []string) {
	if f.RegistryCredentials != "" {
		argv = append(argv, "--registry-credentials", f.RegistryCredentials)
	}
	if f.RegistryCA != "" {
		argv = append(argv, "--registry-ca", f.RegistryCA)
	}
	if f.RegistryRate != 0 {
		argv = append(argv, "--registry-rate", strconv.FormatInt(int64(f.RegistryRate), 10))
	}
	return argv
}

package updated

import (
	"context"
	"fmt"
	"strconv"

	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/health"
	"nexus/libupdates/nxs"
	"nexus/libupdates/updater"
)

// readPolicy reads the settings of the device.
func readPolicy(ctx context.Context, b *vat.Endowments, cfg *updater.Config) error {
	for _, setting := range []struct {
		name string
		use  func(text string) error
	}{
		{"limit-archive", number(&cfg.Limits.Archive)},
		{"limit-payload", number(&cfg.Limits.Payload)},
		{"tries", func(text string) (err error) { cfg.Tries, err = parseTries(text); return err }},
		{"hindered", func(text string) error { cfg.Hindered = text; return nil }},
		{"boot-cause", func(text string) error { cfg.Cause = bootctl.CauseOf(text); return nil }},
		{"floor", func(text string) (err error) { cfg.Floor, err = updater.ParseFloorPolicy(text); return err }},
		{"core", func(text string) (err error) { cfg.Core, err = parseCore(text); return err }},
	} {
		text, err := oneSetting(ctx, b, setting.name)
		if err != nil {
			return err
		}
		if err := setting.use(text); err != nil {
			return fmt.Errorf("cannot use setting %s: %w", setting.name, err)
		}
	}
	return nil
}

func number(value *int64) func(string) error {
	return func(text string) (err error) { *value, err = strconv.ParseInt(text, 10, 64); return err }
}

func parseTries(text string) (uint8, error) {
	tries, err := strconv.ParseInt(text, 10, 64)
	if err == nil && (tries < 1 || tries > health.MaxTries) {
		err = fmt.Errorf("%d is not 1 to %d", tries, health.MaxTries)
	}
	return uint8(tries), err
}

// parseCore reads which core runs: the digest of its payload, or nothing for the core of the image.
func parseCore(text string) (nxs.Digest, error) {
	if text == "" {
		return nxs.Digest{}, nil
	}
	return nxs.ParseDigest(text)
}

func oneSetting(ctx context.Context, b *vat.Endowments, name string) (string, error) {
	values, err := b.Setting(ctx, name)
	if err == nil && len(values) != 1 {
		err = fmt.Errorf("cannot use setting %s: it has %d values", name, len(values))
	}
	if err != nil {
		return "", err
	}
	return values[0], nil
}

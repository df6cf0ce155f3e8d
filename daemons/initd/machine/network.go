package machine

import (
	"fmt"
	"io"
	"os"
	"strings"

	"nexus/daemons/plat/network"
)

// PrepareNetwork gives the machine the address that the kernel's command line names (ip=), where it does. A machine
// without a network goes on, and says why it has none.
func PrepareNetwork(console io.Writer) {
	line, err := os.ReadFile("/proc/cmdline")
	if err == nil {
		err = prepareNetwork(string(line))
	}
	if err != nil {
		fmt.Fprintf(console, "init: no network: %v\n", err)
	}
}

func prepareNetwork(line string) error {
	if err := network.LoopbackUp(); err != nil {
		return err
	}
	for word := range strings.FieldsSeq(line) {
		if word == "--" {
			break
		}
		value, ok := strings.CutPrefix(word, "ip=")
		if !ok {
			continue
		}
		i, err := network.ParseInterface(value)
		if err != nil {
			return err
		}
		return i.Up()
	}
	return nil
}

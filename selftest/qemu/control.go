package qemu

import (
	"encoding/json"
	"io"
	"net"
)

// A control is QEMU's control connection (QEMU Machine Protocol): JSON values, one answer to each command, and events
// in between. It is implemented here because the existing libraries bring a whole management layer, and a handful of
// commands and three events are needed.
type control struct {
	socket net.Conn
	tell   func(event)
	over   chan struct{} // closed when QEMU has closed the connection
}

// An event is a message from QEMU about the machine.
type event struct {
	Name string `json:"event"`
	Data struct {
		ID     string `json:"id"`     // VSERPORT_CHANGE: the port
		Open   bool   `json:"open"`   // VSERPORT_CHANGE: whether the guest has it open
		Reason string `json:"reason"` // SHUTDOWN, RESET: why
	} `json:"data"`
}

func newControl(socket net.Conn, tell func(event)) *control {
	return &control{socket: socket, tell: tell, over: make(chan struct{})}
}

// run starts the conversation and passes on events until QEMU ends it. Greetings and answers have no event name.
func (c *control) run() {
	defer close(c.over)
	c.command("qmp_capabilities")
	in := json.NewDecoder(c.socket)
	for {
		var e event
		if err := in.Decode(&e); err != nil {
			io.Copy(io.Discard, c.socket)
			return
		}
		if e.Name != "" {
			c.tell(e)
		}
	}
}

// quit has QEMU end the machine and itself. It does nothing if QEMU has ended already.
func (c *control) quit() { c.command("quit") }

// reset resets the machine, as its reset button would.
func (c *control) reset() { c.command("system_reset") }

// link plugs the network in, or pulls it out.
func (c *control) link(up bool) {
	c.send("set_link", map[string]any{"name": netdev, "up": up})
}

// onReboot sets what happens when the machine is reset: it restarts, or it ends.
func (c *control) onReboot(again bool) {
	action := "shutdown"
	if again {
		action = "reset"
	}
	c.command("set-action", "reboot", action)
}

// command sends a command; arguments are alternating names and values. QEMU executes commands in order.
func (c *control) command(name string, arguments ...string) {
	named := map[string]any{}
	for i := 0; i+1 < len(arguments); i += 2 {
		named[arguments[i]] = arguments[i+1]
	}
	c.send(name, named)
}

func (c *control) send(name string, arguments map[string]any) {
	json.NewEncoder(c.socket).Encode(map[string]any{"execute": name, "arguments": arguments})
}

func (c *control) close() { c.socket.Close() }

package qemu

import (
	"encoding/json"
	"io"
	"net"
)

// A control is QEMU's own control connection (QEMU Machine Protocol): JSON values, one answer to each command, events
// between them. It is written here because the libraries for it bring a whole management layer along, for a handful of
// commands and three events.
type control struct {
	socket net.Conn
	tell   func(event)
	over   chan struct{} // closed when QEMU has closed it
}

// An event is something that happened to the machine.
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

// run begins the conversation and passes on events until QEMU ends it. Greetings and answers have no event's name.
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

// quit has QEMU end the machine and itself. Where it is gone already there is nothing to end.
func (c *control) quit() { c.command("quit") }

// reset has QEMU start the machine anew, as by its reset button.
func (c *control) reset() { c.command("system_reset") }

// onReboot says what becomes of the machine when it is reset: it starts anew, or that is its end.
func (c *control) onReboot(again bool) {
	action := "shutdown"
	if again {
		action = "reset"
	}
	c.command("set-action", "reboot", action)
}

// command gives an order; arguments are names and values in turns. QEMU carries out one after the other.
func (c *control) command(name string, arguments ...string) {
	order := map[string]any{"execute": name}
	if len(arguments) > 0 {
		named := map[string]string{}
		for i := 0; i+1 < len(arguments); i += 2 {
			named[arguments[i]] = arguments[i+1]
		}
		order["arguments"] = named
	}
	json.NewEncoder(c.socket).Encode(order)
}

func (c *control) close() { c.socket.Close() }

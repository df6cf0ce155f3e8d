package initd

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"sync"

	"nexus/capnpgen/operator"
	"nexus/daemons/convert"
	"nexus/daemons/plat"
	"nexus/daemons/vat/guard"
	"nexus/libupdates/refusal"
)

// archiveFile is what a handed file is good for: the one thing there is.
const archiveFile = "archive"

// ticketBytes is the size of a stage's ticket (schema/update.capnp).
const ticketBytes = 16

// A fileServer takes files that operators hand over.
type fileServer struct {
	files *guard.Files // what came beside the messages of the connection; nil where that carries none
	hand  func(ticket string, file *os.File) error
}

// HandFile takes the file that came over the operator's own socket. The file is the operator's: nothing is opened here
// for anybody.
func (o fileServer) HandFile(_ context.Context, call operator.Operator_handFile) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	file := o.files.Take()
	if file == nil {
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.BadFile, "no file came with the call"))
	}
	if err := plat.CheckHanded(file); err != nil {
		file.Close()
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.BadFile, "the file that was handed over: %v", err))
	}
	return res.SetFile(operator.HandedFile_ServerToClient(&lentFile{hand: o.hand, file: file}))
}

// A lentFile is a HandedFile: it can be given once.
type lentFile struct {
	hand func(ticket string, file *os.File) error

	mu   sync.Mutex
	file *os.File // nil once it was given
}

// Give passes the file on to whoever made the ticket.
func (h *lentFile) Give(_ context.Context, call operator.HandedFile_give) error {
	call.Go()
	ticket, err := call.Args().Ticket()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	file := h.take()
	switch {
	case file == nil:
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.BadFile, "the file was given before"))
	case len(ticket) != ticketBytes:
		err = errors.New("cannot give file: a ticket has 16 bytes")
	default:
		err = h.hand(hex.EncodeToString(ticket), file)
	}
	file.Close()
	return err
}

func (h *lentFile) take() *os.File {
	h.mu.Lock()
	defer h.mu.Unlock()
	file := h.file
	h.file = nil
	return file
}

// Shutdown runs when the operator dropped the file, or died.
func (h *lentFile) Shutdown() {
	if file := h.take(); file != nil {
		file.Close()
	}
}

// hand passes a file on to the daemon that takes archives.
func (s *system) hand(ticket string, file *os.File) error {
	i := slices.IndexFunc(s.table, func(row Daemon) bool { return slices.Contains(row.Takes, archiveFile) })
	if i >= 0 {
		if channel := s.daemons.Channel(s.table[i].Name); channel != nil {
			return channel.GrantHanded(archiveFile, ticket, file)
		}
	}
	return errors.New("cannot give file: nobody is there to take it")
}

package updater

import (
	"errors"
	"fmt"

	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// The copies are where the encoded record is kept. One that outlives the boot is stored twice, so that either copy may
// be damaged, and once more for this boot.
type copies struct {
	cell *durable.Cell
	boot *durable.Cell // for this boot; nil where the record does not outlive it
	log  journal
	lost bool // none was left when the record was loaded
}

func openCopies(record, boot durable.CellFile, log journal) (c *copies, err error) {
	c = &copies{log: log}
	if boot != nil {
		if c.boot, err = durable.OpenCell(boot); err != nil {
			return nil, fmt.Errorf("cannot open boot record of this boot: %w", err)
		}
	}
	c.cell, err = durable.OpenCell(record)
	if errors.Is(err, durable.ErrDamaged) && c.persistent() {
		c.reportLost(refusal.New(refusal.StateDamaged, "%v", err))
		c.cell, err = durable.ResetCell(record), nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open boot record: %w", err)
	}
	return c, nil
}

// persistent reports whether the record outlives this boot.
func (c *copies) persistent() bool { return c.boot != nil }

// store makes an encoded record durable.
func (c *copies) store(raw []byte) error {
	if !c.persistent() {
		return c.cell.Store(raw)
	}
	if err := c.cell.StoreTwice(raw); err != nil {
		return err
	}
	return c.boot.Store(raw)
}

// newest is the newest record there is: the durable one or, if that is lost, the copy of this boot. A device that was
// used has one.
func (c *copies) newest(used bool) (raw []byte, found bool) {
	raw, found = c.cell.Load()
	if found || !c.persistent() {
		return raw, found
	}
	raw, found = c.boot.Load()
	if used || found {
		c.reportLost(refusal.New(refusal.NoSuchKey,
			"there is no boot record: quarantine, version floor and history are lost, if there were any"))
	}
	return raw, found
}

// beginsBoot reports whether no engine has loaded the record in this boot.
func (c *copies) beginsBoot() bool {
	if !c.persistent() {
		return false // the record would not be there
	}
	_, found := c.boot.Load()
	return !found
}

// reportLost reports that no copy of the record is left. The system goes on with what else is known: the copy of this
// boot, or which slot was confirmed last.
func (c *copies) reportLost(why error) {
	if c.lost { // it was reported
		return
	}
	c.lost = true
	c.log.Error("boot record lost", "error", why)
	c.log.write("record", Audit{Reason: refusal.Of(why), Detail: why.Error()}, Failed)
}

// reportMended reports that one of two copies of the record was damaged. Loading the record has written it again.
func (c *copies) reportMended() {
	fault := c.cell.Fault()
	if fault == nil || !c.persistent() {
		return
	}
	c.log.Warn("copy of the boot record mended", "error", fault)
	c.log.write("record", Audit{Reason: refusal.StateDamaged, Detail: fault.Error()}, OK)
}

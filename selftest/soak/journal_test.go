package soak

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"nexus/selftest/oracle"
)

// records reads the journal: one object a line.
func (s *Soak) records() ([]oracle.Record, error) {
	v, err := s.host.Run("log")
	if err != nil {
		return nil, err
	}
	var records []oracle.Record
	for decoder := json.NewDecoder(bytes.NewReader(v.Stdout.Bytes())); decoder.More(); {
		var r oracle.Record
		if err := decoder.Decode(&r); err != nil {
			return nil, fmt.Errorf("cannot read the journal: %w", err)
		}
		records = append(records, r)
	}
	return records, nil
}

// journal wants it readable, in order, and every record to have a sender.
func (s *Soak) journal() []error {
	records, err := s.records()
	if err != nil {
		return []error{err}
	}
	if len(records) == 0 {
		return []error{errors.New("the journal is empty")}
	}
	s.sequence = records[len(records)-1].Sequence
	return wrongJournal(records)
}

func wrongJournal(records []oracle.Record) (found []error) {
	for i, r := range records {
		if r.Sender == "" {
			found = append(found, fmt.Errorf("journal: record %d has no sender", r.Sequence))
		}
		if i > 0 && r.Sequence <= records[i-1].Sequence {
			found = append(found, fmt.Errorf("journal: record %d stands after record %d", r.Sequence,
				records[i-1].Sequence))
		}
	}
	return found
}

// watchOver is the step that comes by itself, when a confirmed set has held.
const watchOver = "held"

// auditsIn are the audit records after one, as operation and result.
func auditsIn(records []oracle.Record, after uint64) []string {
	var steps []string
	for _, r := range records {
		if r.Kind == "audit" && r.Sender == "updated" && r.Sequence > after && r.Field("op") != watchOver {
			steps = append(steps, r.Field("op")+" "+r.Field("result"))
		}
	}
	return steps
}

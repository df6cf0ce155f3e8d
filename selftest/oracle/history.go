package oracle

import "fmt"

// WrongHistory returns what is wrong in a history: only good sets may be committed, each by the attempt that ran it,
// and boot numbers must never decrease.
func WrongHistory(events []Event, sets Sets) (found []error) {
	for i, e := range events {
		if i > 0 && e.Boot < events[i-1].Boot {
			found = append(found, fmt.Errorf("history: boot %d stands after boot %d", e.Boot, events[i-1].Boot))
		}
		if e.Op == "rollback" && Text(e.Reason) == "" {
			found = append(found, fmt.Errorf("history: a rollback in boot %d without a reason", e.Boot))
		}
		if e.Op != "commit" {
			continue
		}
		if set := sets.Known(Text(e.IndexSHA256)); set == nil || set.Fate != Good {
			found = append(found, fmt.Errorf("history: %.12q was committed in boot %d", Text(e.IndexSHA256), e.Boot))
		}
		attempted := i == 0 // the list is bounded, so its beginning may be missing
		for _, before := range events[:i] {
			attempted = attempted || before.Op == "attempt" && before.Boot == e.Boot &&
				Text(before.Slot) == Text(e.Slot) && Text(before.IndexSHA256) == Text(e.IndexSHA256)
		}
		if !attempted {
			found = append(found, fmt.Errorf("history: slot %s was committed in boot %d, without an attempt of it",
				Text(e.Slot), e.Boot))
		}
	}
	return found
}

package world_test

import (
	"context"
	"strings"
	"testing"

	"nexus/capnpgen/exec"
	"nexus/capnpgen/journal"
	"nexus/capnpgen/operator"
	capupdate "nexus/capnpgen/update"
)

// TestAuditSaysWhoAsked has an operator attenuate its Operator twice and try a step with what is left. The audit record
// of that step has the role, the connection and what was given up.
func TestAuditSaysWhoAsked(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := shared(t)
	whole := as(t, ctx, w, "control")
	some := attenuated(t, ctx, whole, "updated", "journal", "policy", "stop")
	less := attenuated(t, ctx, some, "updated", "journal")

	answer, release := less.Updated(ctx, nil)
	defer release()
	stage, releaseStage := answer.Updated().StageSystem(ctx, func(p capupdate.Updated_stageSystem_Params) error {
		p.SetSizeBytes(1 << 60)
		return nil
	})
	defer releaseStage()
	if _, err := stage.Struct(); err != nil {
		t.Fatal(err)
	}
	got := lastAudit(t, ctx, whole, "updated")
	if got["op"] != "stage" || got["reason"] != "archive-too-large" {
		t.Errorf("the newest audit record is %v", got)
	}
	if got["role"] != "operator" || got["connection"] == "" ||
		!strings.Contains(got["attenuation"], "exec") || !strings.HasSuffix(got["attenuation"], "; policy,stop") {
		t.Errorf("asked by role %q, connection %q, without %q", got["role"], got["connection"], got["attenuation"])
	}
}

// TestRunIsAudited has an operator with part of its rights run a bundle that does not exist. The refusal is in the
// audit records, with the cause and who asked.
func TestRunIsAudited(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := shared(t)
	whole := as(t, ctx, w, "control")
	some := attenuated(t, ctx, whole, "exec", "journal")
	answer, release := some.Exec(ctx, nil)
	defer release()
	run, releaseRun := answer.Exec().Run(ctx, func(p exec.Exec_run_Params) error { return p.SetBundle("nobody") })
	defer releaseRun()
	if _, err := run.Struct(); err == nil {
		t.Error("a bundle that does not exist was run")
	}
	got := lastAudit(t, ctx, whole, "execd")
	if got["op"] != "run" || got["result"] != "refused" || got["reason"] != "unknown-bundle" ||
		!strings.HasPrefix(got["detail"], `bundle="nobody": `) {
		t.Errorf("the newest audit record of execd is %v", got)
	}
	if got["role"] != "operator" || got["connection"] == "" || !strings.Contains(got["attenuation"], "stop") {
		t.Errorf("asked by role %q, connection %q, without %q", got["role"], got["connection"], got["attenuation"])
	}
}

// lastAudit returns the fields of the newest refusal among the audit records of a daemon, once it is there.
func lastAudit(t *testing.T, ctx context.Context, o operator.Operator, daemon string) map[string]string {
	t.Helper()
	log, release := o.Journal(ctx, nil)
	defer release()
	fields := map[string]string{}
	for ctx.Err() == nil && len(fields) == 0 {
		answer, release := log.Journal().Query(ctx, func(p journal.Journal_query_Params) error {
			f, err := p.NewFilter()
			if err != nil {
				return err
			}
			f.SetLimit(1)
			f.SetMinLevel(journal.Level_warn)
			kinds, err := f.NewKinds(1)
			if err != nil {
				return err
			}
			kinds.Set(0, journal.Kind_audit)
			return f.SetSender(daemon)
		})
		res, err := answer.Struct()
		if err != nil {
			t.Fatal(err)
		}
		records, err := res.Records()
		if err != nil {
			t.Fatal(err)
		}
		if records.Len() > 0 {
			entry, err := records.At(0).Entry()
			if err != nil {
				t.Fatal(err)
			}
			list, err := entry.Fields()
			if err != nil {
				t.Fatal(err)
			}
			for i := range list.Len() {
				key, _ := list.At(i).Key()
				fields[key], _ = list.At(i).Value()
			}
		}
		release()
	}
	return fields
}

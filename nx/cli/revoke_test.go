package cli_test

import "testing"

func TestRevoke(t *testing.T) {
	p := startPeer(t)
	p.nx("revoke", "updated", "LogSink").want(t, 0, "revoked: updated has no LogSink until the system stops\n", "")
	p.nx("revoke", "--json", "updated", "LogSink").want(t, 0, `{"client":"updated","service":"LogSink"}`+"\n", "")
	text := "cannot revoke HealthGate: updated is granted no HealthGate"
	p.nx("revoke", "--json", "updated", "HealthGate").want(t, 1, `{"error":"`+text+`","reason":"unknown-name"}`+"\n", "nx: "+text+"\n")
}

package cli_test

import "testing"

func TestFloor(t *testing.T) {
	p := startPeer(t)
	p.nx("floor").want(t, 0, "no version floor: every set that is signed may follow\n", "")
	p.nx("floor", "--json").want(t, 0, `{"versionFloor":null}`+"\n", "")
	p.change(func(s *peerState) { s.floor = "1.2.0" })
	p.nx("floor").want(t, 0, "no set older than 1.2.0 is accepted\n", "")
	p.nx("floor", "lower", "1.1.0").want(t, 0, "no set older than 1.1.0 is accepted\n", "")
	p.nx("floor", "--json").want(t, 0, `{"versionFloor":"1.1.0"}`+"\n", "")
	p.nx("floor", "lower", "none").want(t, 0, "no version floor: every set that is signed may follow\n", "")
	p.refuses("lowerFloor", "floor-not-lower", "1.3.0 is not lower than the version floor 1.2.0")
	p.nx("floor", "lower", "1.3.0").want(t, 1, "",
		"nx: cannot lower floor to 1.3.0: 1.3.0 is not lower than the version floor 1.2.0\n")
}

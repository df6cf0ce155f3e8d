package nxspack_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
	"nexus/nxspack"
	"nexus/oci"
	"nexus/oci/ocitest"
)

// liarPace is short where a registry is waited for in vain, and the same on every machine where it is not.
func liarPace() oci.Pace {
	return oci.Pace{Patience: time.Second, Retries: 2, Pause: time.Millisecond, MaxPause: 2 * time.Millisecond}
}

// maxRequests bounds what a lie costs: the requests of an honest pull, and one of them repeated and redirected.
const maxRequests = 24

func TestLyingRegistries(t *testing.T) {
	l, host := ocitest.Lying(t)
	t.Chdir(t.TempDir())
	want := setFile(t, "1.nxs", "1.0.0", map[string]string{"alpha": ocitest.PayloadText})
	ref := "oci://" + host + "/demo:1"
	succeed(t, "push", "1.nxs", ref)
	for _, c := range ocitest.PullLies() {
		t.Run(c.Name, func(t *testing.T) {
			before := []byte("what was there")
			overwrite(t, "out.nxs", before)
			l.Lie = c.Lie
			l.Requests.Store(0)
			o := pacedRun(t, "pull", ref, "--output", "out.nxs", "--trust",
				updatestest.Key(1).Public().Text())
			if o.Reason != c.Reason {
				t.Fatalf("got reason %q (%s), want %q", o.Reason, o.Error, c.Reason)
			}
			if c.Reason == "" {
				before = want
			}
			sameBytes(t, "out.nxs", before)
			leftovers(t)
			if n := l.Requests.Load(); n > maxRequests {
				t.Errorf("it cost %d requests", n)
			}
			if strings.Contains(o.Error, "hunter2") || strings.Count(o.stderr, "\n") > 2 || len(o.Error) > 400 {
				t.Errorf("the error is %q", o.stderr)
			}
		})
	}
}

func TestLyingRegistriesForPush(t *testing.T) {
	l, host := ocitest.Lying(t)
	t.Chdir(t.TempDir())
	for i, c := range ocitest.PushLies() {
		t.Run(c.Name, func(t *testing.T) {
			setFile(t, "1.nxs", "1.0.0", map[string]string{"alpha": fmt.Sprint("program ", i)})
			l.Lie = c.Lie
			l.Requests.Store(0)
			o := pacedRun(t, "push", "1.nxs", fmt.Sprintf("oci://%s/demo:%d", host, i), "--credentials",
				credentials(t, host, "anna", "hunter2"))
			if o.Reason != c.Reason {
				t.Errorf("got reason %q (%s), want %q", o.Reason, o.Error, c.Reason)
			}
			if n := l.Requests.Load(); n > maxRequests {
				t.Errorf("it cost %d requests", n)
			}
		})
	}
}

// TestARegistryThatGoesAway breaks a transfer and then every request to take it up. These are repeated as often as the
// pace says, not that often for each of as many tries.
func TestARegistryThatGoesAway(t *testing.T) {
	l, host := ocitest.Lying(t)
	t.Chdir(t.TempDir())
	setFile(t, "1.nxs", "1.0.0", map[string]string{"alpha": ocitest.PayloadText})
	ref := "oci://" + host + "/demo:1"
	succeed(t, "push", "1.nxs", ref)
	var again atomic.Int64
	l.Lie = func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		switch payload := strings.HasSuffix(r.URL.Path, fmt.Sprintf("%x", sha256.Sum256([]byte(ocitest.PayloadText)))); {
		case !payload:
			return false
		case r.Header.Get("Range") != "":
			again.Add(1)
		default:
			w.Header().Set("Content-Length", strconv.Itoa(len(ocitest.PayloadText)))
			io.WriteString(w, ocitest.PayloadText[:5])
			http.NewResponseController(w).Flush()
		}
		panic(http.ErrAbortHandler)
	}
	o := pacedRun(t, "pull", ref, "--output", "out.nxs", "--trust", updatestest.Key(1).Public().Text())
	if o.Reason != string(refusal.RegistryUnavailable) {
		t.Errorf("got reason %q (%s)", o.Reason, o.Error)
	}
	if got, want := again.Load(), int64(1+liarPace().Retries); got != want {
		t.Errorf("%d requests to take it up, want %d", got, want)
	}
}

// pacedRun runs nxs-pack --json with the pace of these tests.
func pacedRun(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	nxspack.RunPaced(liarPace(), append(args, "--json"), &stdout, &stderr)
	o := outcome{stderr: stderr.String()}
	if err := json.Unmarshal(stdout.Bytes(), &o); err != nil {
		t.Fatalf("%v: %s%s", err, &stdout, &stderr)
	}
	return o
}

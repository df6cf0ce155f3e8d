package ocitest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A Lie answers a request in place of the registry, or returns false.
type Lie func(w http.ResponseWriter, r *http.Request, honest http.Handler) bool

// An answer is what a lie says in place of the registry.
type answer = func(w http.ResponseWriter, r *http.Request, honest http.Handler)

// about lies about requests whose path contains a text.
func about(part string, lie answer) Lie {
	return func(w http.ResponseWriter, r *http.Request, honest http.Handler) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, part) {
			lie(w, r, honest)
			return true
		}
		return false
	}
}

// instead sends other bytes than the registry does.
func instead(change func(h http.Header, body []byte) []byte) answer {
	return func(w http.ResponseWriter, r *http.Request, honest http.Handler) {
		was := httptest.NewRecorder()
		honest.ServeHTTP(was, r)
		h := w.Header()
		for name, values := range was.Header() {
			h[name] = values
		}
		body := change(h, was.Body.Bytes())
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(was.Code)
		_, _ = w.Write(body)
	}
}

// edited changes an answer in JSON.
func edited(change func(m map[string]any)) answer {
	return instead(func(h http.Header, body []byte) []byte {
		var m map[string]any
		_ = json.Unmarshal(body, &m)
		change(m)
		body, _ = json.Marshal(m)
		h.Del("Docker-Content-Digest")
		return body
	})
}

// manifest changes the manifest.
func manifest(change func(m map[string]any)) Lie { return about("/manifests/", edited(change)) }

// layer changes one layer of the manifest.
func layer(n int, key string, value any) Lie {
	return manifest(func(m map[string]any) { m["layers"].([]any)[n].(map[string]any)[key] = value })
}

func status(code int, header ...string) answer {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// raw sends bytes that need not be HTTP, and closes the connection.
func raw(text string) answer {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, text)
	}
}

// endless sends without end, until the client has had enough.
func endless(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	for block := bytes.Repeat([]byte{' '}, 1<<16); ; {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// drips sends a byte now and then.
func drips(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	w.Header().Set("Content-Length", "1000000")
	for {
		if _, err := w.Write([]byte{' '}); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}

// mute never answers.
func mute(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }

// begins answers, and never sends the content.
func begins(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	w.Header().Set("Content-Length", strconv.Itoa(len(PayloadText)))
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// once answers the first request, and leaves the others to the registry.
func once(lie answer) answer {
	answered := new(atomic.Bool)
	return func(w http.ResponseWriter, r *http.Request, honest http.Handler) {
		if answered.CompareAndSwap(false, true) {
			lie(w, r, honest)
			return
		}
		honest.ServeHTTP(w, r)
	}
}

// half sends the first half of what the registry sends, and closes the connection. It never sends the other half.
func half(w http.ResponseWriter, r *http.Request, honest http.Handler) {
	if r.Header.Get("Range") != "" {
		raw("")(w, r, honest)
		return
	}
	was := httptest.NewRecorder()
	honest.ServeHTTP(was, r)
	body := was.Body.Bytes()
	raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:len(body)/2]))(w, r, honest)
}

// resumed sends the first half of a blob; when the client goes on, the answer is another one.
func resumed(then answer) answer {
	return func(w http.ResponseWriter, r *http.Request, honest http.Handler) {
		if r.Header.Get("Range") == "" {
			half(w, r, honest)
		} else {
			then(w, r, honest)
		}
	}
}

// PayloadText is the payload of alpha.
const PayloadText = "the program of alpha"

// payloadBlob is in the paths of requests for the payload.
func payloadBlob() string { return fmt.Sprintf("/blobs/sha256:%x", sha256.Sum256([]byte(PayloadText))) }

// A Case is a lie, and what comes of it.
type Case struct {
	Name   string
	Lie    Lie
	Reason string // empty: the client copes
}

// PullLies are lies told to those who pull. Layers are the index, the signature, then manifest and payload of alpha.
func PullLies() []Case {
	return slices.Concat(blobLies(payloadBlob()), serverLies(payloadBlob()), documentLies(), manifestLies())
}

// blobLies are about the content of a blob.
func blobLies(blob string) []Case {
	grown := instead(func(_ http.Header, body []byte) []byte { return append(body, "more"...) })
	changed := instead(func(_ http.Header, body []byte) []byte {
		return bytes.Replace(body, []byte("program"), []byte("malware"), 1)
	})
	ranged := func(span string) answer {
		return resumed(status(http.StatusPartialContent, "Content-Range", span, "Content-Length", "0"))
	}
	return []Case{
		{"a blob larger than it said", about(blob, grown), "bad-registry"},
		{"a blob of another size, without saying so", about(blob, endless), "bad-registry"},
		{"a blob with other bytes", about(blob, changed), "digest-mismatch"},
		{"a blob that always breaks off", about(blob, half), "registry-unavailable"},
		{"a blob that breaks off once", about(blob, resumed(func(w http.ResponseWriter, r *http.Request,
			honest http.Handler) {
			honest.ServeHTTP(w, r)
		})), ""},
		{"no ranges", about(blob, resumed(instead(func(h http.Header, body []byte) []byte { return body }))), ""},
		{"a part that nobody asked for", about(blob, status(http.StatusPartialContent)), "bad-registry"},
		{"another part than was asked for", about(blob, ranged("bytes 0-9/20")), "bad-registry"},
		{"a part of a larger blob", about(blob, ranged("bytes 10-19/40")), "bad-registry"},
		{"a part without a word which", about(blob, ranged("")), "bad-registry"},
		{"a range that cannot be", about(blob, resumed(status(http.StatusRequestedRangeNotSatisfiable))),
			"bad-registry"},
		{"a blob that is not there", about(blob, status(http.StatusNotFound)), "not-in-registry"},
		{"no content", about(blob, status(http.StatusNoContent)), "bad-registry"},
	}
}

// serverLies are about what a server does, not what it has.
func serverLies(blob string) []Case {
	return []Case{
		{"too many requests", about(blob, status(http.StatusTooManyRequests, "Retry-After", "60000")),
			"registry-unavailable"},
		{"too many requests until a day", about(blob, status(http.StatusTooManyRequests, "Retry-After",
			"Fri, 31 Dec 2099 23:59:59 GMT")), "registry-unavailable"},
		{"too many requests, since minus one second", about(blob, status(http.StatusTooManyRequests, "Retry-After",
			"-1")), "registry-unavailable"},
		{"too many requests once", about(blob, once(status(http.StatusTooManyRequests, "Retry-After", "60000"))), ""},
		{"an error once", about("/manifests/", once(status(http.StatusBadGateway))), ""},
		{"no answer", about("/manifests/", mute), "registry-unavailable"},
		{"a blob that never comes", about(blob, begins), "stalled"},
		{"a whole blob as a part", about(blob, resumed(func(w http.ResponseWriter, r *http.Request,
			honest http.Handler) {
			r.Header.Del("Range")
			instead(func(h http.Header, body []byte) []byte {
				h.Set("Content-Range", "bytes 10-19/20")
				return body
			})(w, r, honest)
		})), ""},
		{"parts in an envelope", about(blob, resumed(status(http.StatusPartialContent, "Content-Type",
			"multipart/byteranges; boundary=x"))), "bad-registry"},
		{"always 500", about("/", status(http.StatusInternalServerError)), "registry-unavailable"},
		{"a teapot", about("/", status(http.StatusTeapot)), "bad-registry"},
		{"nothing for strangers", about("/", status(http.StatusForbidden)), "registry-denied"},
		{"credentials wanted", about("/", status(http.StatusUnauthorized, "Www-Authenticate", `Basic realm="x"`)),
			"registry-denied"},
		{"tokens of another machine", about("/", status(http.StatusUnauthorized, "Www-Authenticate",
			`Bearer realm="http://169.254.169.254/token"`)), "bad-registry"},
		{"tokens of no machine", about("/", status(http.StatusUnauthorized, "Www-Authenticate",
			`Bearer realm="file:///etc/passwd"`)), "bad-registry"},
		{"not HTTP", about("/", raw("220 ready\r\n")), "bad-registry"},
		{"nothing at all", about("/", raw("")), "registry-unavailable"},
		{"headers without end", about("/", raw("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20))), "bad-registry"},
		{"redirects without end", about("/", func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusTemporaryRedirect)
		}), "bad-registry"},
		{"a redirect to another machine without TLS", about(blob, status(http.StatusFound, "Location",
			"http://192.0.2.1/blob?secret=hunter2")), "bad-registry"},
		{"a redirect to a file", about(blob, status(http.StatusFound, "Location", "file:///etc/passwd")),
			"bad-registry"},
		{"a redirect to nowhere", about(blob, status(http.StatusFound)), "bad-registry"},
	}
}

// documentLies have something else in place of the manifest.
func documentLies() []Case {
	return []Case{
		{"a manifest that drips", about("/manifests/", drips), "stalled"},
		{"a manifest without end", about("/manifests/", endless), "bad-registry"},
		{"a manifest that says it is huge", about("/manifests/", status(http.StatusOK, "Content-Length", "1000000000",
			"Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64), "Content-Type", "application/json")),
			"not-a-set"},
		{"a web page", about("/manifests/", instead(func(h http.Header, _ []byte) []byte {
			h.Set("Content-Type", "text/html")
			h.Del("Docker-Content-Digest")
			return []byte("<html>")
		})), "not-a-set"},
		{"a manifest of another digest", about("/manifests/", instead(func(_ http.Header, body []byte) []byte {
			return append(body, ' ')
		})), "bad-registry"},
	}
}

// manifestLies change what the manifest says.
func manifestLies() []Case {
	return []Case{
		{"an image", manifest(func(m map[string]any) {
			m["artifactType"] = "application/vnd.example"
			m["config"].(map[string]any)["mediaType"] = "application/vnd.oci.image.config.v1+json"
		}), "not-a-set"},
		{"an index of images", manifest(func(m map[string]any) {
			m["mediaType"] = "application/vnd.oci.image.index.v1+json"
		}), "not-a-set"},
		{"too many layers", manifest(func(m map[string]any) {
			m["layers"] = append(m["layers"].([]any), make([]any, 600)...)
		}), "not-a-set"},
		{"no layers", manifest(func(m map[string]any) { delete(m, "layers") }), "missing-entry"},
		{"layers in another order", manifest(func(m map[string]any) {
			l := m["layers"].([]any)
			l[0], l[1] = l[1], l[0]
		}), "misordered-entry"},
		{"a layer less", manifest(func(m map[string]any) { m["layers"] = m["layers"].([]any)[:3] }), "missing-entry"},
		{"a layer more", manifest(func(m map[string]any) {
			m["layers"] = append(m["layers"].([]any), m["layers"].([]any)[3])
		}), "duplicate-entry"},
		{"a digest without an algorithm", layer(3, "digest", "abc"), "not-a-set"},
		{"a digest of another algorithm", layer(3, "digest", "sha512:"+strings.Repeat("0", 128)), "not-a-set"},
		{"another digest than the index", layer(3, "digest", "sha256:"+strings.Repeat("0", 64)), "digest-mismatch"},
		{"another size than the index", layer(3, "size", 19), "size-mismatch"},
		{"a size below zero", layer(3, "size", -1), "payload-too-large"},
		{"a size beyond all limits", layer(3, "size", 1<<60), "payload-too-large"},
		{"an index beyond all limits", layer(0, "size", 1<<30), "not-a-set"},
		{"an index of another size", layer(0, "size", 8), "bad-registry"},
		{"a type that the name does not have", layer(0, "mediaType", "text/plain"), "not-a-set"},
		{"a name that leads elsewhere", layer(2, "annotations", map[string]any{
			"org.opencontainers.image.title": "../../etc/passwd"}), "bad-entry-name"},
		{"a layer without a name", layer(2, "annotations", nil), "bad-entry-name"},
		{"an index that is not signed", about("/blobs/", instead(func(_ http.Header, body []byte) []byte {
			return bytes.Replace(body, []byte("1.0.0"), []byte("9.0.0"), 1)
		})), "digest-mismatch"},
	}
}

// PushLies are lies told to those who push.
func PushLies() []Case {
	posted := func(lie answer, methods string) Lie {
		return func(w http.ResponseWriter, r *http.Request, honest http.Handler) bool {
			if !strings.Contains(methods, r.Method) {
				return false
			}
			lie(w, r, honest)
			return true
		}
	}
	return []Case{
		{"an upload elsewhere", posted(status(http.StatusAccepted, "Location", "http://192.0.2.1/v2/upload"), "POST"),
			"bad-registry"},
		{"an upload nowhere", posted(status(http.StatusAccepted), "POST"), "bad-registry"},
		{"nobody may push", posted(status(http.StatusForbidden), "POST"), "registry-denied"},
		{"uploads always fail", posted(status(http.StatusBadGateway), "PUT"), "registry-unavailable"},
		{"the connection always breaks", posted(raw(""), "PUT"), "registry-unavailable"},
		{"it says it has what it has not", posted(status(http.StatusCreated), "PUT"), "bad-registry"},
		{"an upload fails once", posted(once(raw("")), "PUT"), ""},
		{"it wants other bytes", posted(status(http.StatusBadRequest), "PUT"), "bad-registry"},
	}
}

// A Liar is a registry that tells one lie, and counts the requests.
type Liar struct {
	http.Handler
	Lie      Lie
	Requests atomic.Int64
}

func (l *Liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.Requests.Add(1)
	if l.Lie == nil || !l.Lie(w, r, l.Handler) {
		l.Handler.ServeHTTP(w, r)
	}
}

// Lying starts a liar before an honest registry, and returns its address.
func Lying(t testing.TB) (*Liar, string) {
	t.Helper()
	r := Start(t, Distribution, Options{})
	proxy := &httputil.ReverseProxy{ErrorLog: nil, Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(&url.URL{Scheme: "http", Host: r.Host})
		p.Out.Host = p.In.Host // Locations lead to the liar
	}}
	l := &Liar{Handler: proxy}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	return l, strings.TrimPrefix(server.URL, "http://")
}

// DeltaLies are lies about the one delta of a set, whose index and patch have those digests, in hexadecimal. With each
// of them the client copes: the payload comes whole, for that reason. Without one, the delta was not found. The
// registry has the list of deltas under a tag.
func DeltaLies(index, patch string) []Case {
	api, tag, index, patch := "/referrers/", "/manifests/sha256-", "/blobs/sha256:"+index, "/blobs/sha256:"+patch
	list := func(lie answer) Lie {
		byAPI, byTag := about(api, lie), about(tag, lie)
		return func(w http.ResponseWriter, r *http.Request, honest http.Handler) bool {
			return byAPI(w, r, honest) || byTag(w, r, honest)
		}
	}
	listed := func(change func(all []any) []any) Lie {
		return about(tag, edited(func(m map[string]any) { m["manifests"] = change(m["manifests"].([]any)) }))
	}
	other := instead(func(_ http.Header, body []byte) []byte { return append(body[:len(body)-1], '?') })
	return []Case{
		{"no list", list(status(http.StatusNotFound)), ""},
		{"a list that fails", list(status(http.StatusInternalServerError)), ""},
		{"a teapot", list(status(http.StatusTeapot)), ""},
		{"a list without end", list(endless), ""},
		{"a list that drips", list(drips), ""},
		{"not HTTP", list(raw("220 ready\r\n")), ""},
		{"pages without end", list(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			w.Header().Set("Link", "<"+r.URL.Path+"?more>; rel=\"next\"")
			_, _ = w.Write([]byte(`{"manifests":[]}`))
		}), ""},
		{"a delta without a digest", listed(func(all []any) []any {
			all[0].(map[string]any)["digest"] = "sha256:0"
			return all
		}), ""},
		{"a thousand deltas that are not there", listed(func(all []any) []any {
			all[0].(map[string]any)["digest"] = "sha256:" + strings.Repeat("0", 64)
			return append(all, make([]any, 1000)...)
		}), ""},
		{"a delta with other bytes", about("/manifests/sha256:", other), ""},
		{"an index with other bytes", about(index, other), "digest-mismatch"},
		{"an index that is not there", about(index, status(http.StatusNotFound)), "not-in-registry"},
		{"a patch with other bytes", about(patch, other), "digest-mismatch"},
		{"a patch larger than it said", about(patch, instead(func(_ http.Header, body []byte) []byte {
			return append(body, "more"...)
		})), "bad-registry"},
		{"a patch that is not there", about(patch, status(http.StatusNotFound)), "not-in-registry"},
		{"no content", about(patch, status(http.StatusNoContent)), "bad-registry"},
	}
}

// ListByAPI does not lie: it serves by the referrers API what the registry has under a tag.
func ListByAPI() Lie {
	return about("/referrers/", func(w http.ResponseWriter, r *http.Request, honest http.Handler) {
		asked := r.Clone(r.Context())
		asked.URL.Path = strings.Replace(asked.URL.Path, "/referrers/sha256:", "/manifests/sha256-", 1)
		asked.URL.RawQuery = ""
		asked.Header.Set("Accept", "application/vnd.oci.image.index.v1+json")
		honest.ServeHTTP(w, asked)
	})
}

package world_test

import (
	"context"
	"testing"

	capupdate "nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// TestAttenuatedInstaller passes on ever smaller AppInstallers: each opens and uninstalls only packages of its pattern
// and of those before it, and what is not a pattern or a key makes none.
func TestAttenuatedInstaller(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	w := shared(t)
	client, release, err := facetsOf["AppInstaller"](ctx, as(t, ctx, w, "apps"))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	whole := capupdate.AppInstaller(client)
	key := updatestest.Key(1).Public()
	web := smaller(t, ctx, whole, "web.*", key[:])
	shop := smaller(t, ctx, smaller(t, ctx, web, "web.shop", nil), "*", nil)
	for _, c := range []struct {
		who       string
		installer capupdate.AppInstaller
		name      string
		want      refusal.Reason
	}{
		{"whole", whole, "mail", ""}, {"web", web, "web.blog", ""}, {"web", web, "mail", refusal.NotGranted},
		{"web", web, "web", refusal.NotGranted}, {"shop", shop, "web.shop", ""},
		{"shop", shop, "web.blog", refusal.NotGranted}, {"shop", shop, "mail", refusal.NotGranted},
		{"shop", shop, "../web.shop", refusal.BadBundleName},
	} {
		if err := opens(ctx, c.installer, c.name); refusal.Of(err) != c.want || c.want == "" && err != nil {
			t.Errorf("%s opens %q: %v, want %q", c.who, c.name, err, c.want)
		}
		want := refusal.UnknownApp // nothing is installed
		if c.want != "" {
			want = refusal.NotGranted
		}
		if err := uninstalls(ctx, c.installer, c.name); refusal.Of(err) != want {
			t.Errorf("%s uninstalls %q: %v, want %q", c.who, c.name, err, want)
		}
	}
	for want, bad := range map[refusal.Reason][2]string{
		refusal.BadBundleName: {"w*b", ""}, refusal.BadKey: {"*", "a short key"},
	} {
		if _, err := attenuate(t, ctx, web, bad[0], []byte(bad[1])); refusal.Of(err) != want {
			t.Errorf("%q: %v, want %s", bad, err, want)
		}
	}
}

func attenuate(t *testing.T, ctx context.Context, i capupdate.AppInstaller, pattern string, publisher []byte) (
	capupdate.AppInstaller, error) {
	t.Helper()
	answer, release := i.Attenuate(ctx, func(p capupdate.AppInstaller_attenuate_Params) error {
		if err := p.SetPattern(pattern); err != nil {
			return err
		}
		return p.SetPublisher(publisher)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return capupdate.AppInstaller{}, convert.Excepted(err)
	}
	less := res.Installer().AddRef()
	t.Cleanup(less.Release)
	return less, nil
}

func smaller(t *testing.T, ctx context.Context, i capupdate.AppInstaller, pattern string,
	publisher []byte) capupdate.AppInstaller {
	t.Helper()
	less, err := attenuate(t, ctx, i, pattern, publisher)
	if err != nil {
		t.Fatal(err)
	}
	return less
}

func opens(ctx context.Context, i capupdate.AppInstaller, name string) error {
	answer, release := i.Open(ctx, func(p capupdate.AppInstaller_open_Params) error { return p.SetName(name) })
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}

func uninstalls(ctx context.Context, i capupdate.AppInstaller, name string) error {
	answer, release := i.Uninstall(ctx, func(p capupdate.AppInstaller_uninstall_Params) error {
		names, err := p.NewNames(1)
		if err != nil {
			return err
		}
		return names.Set(0, name)
	})
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}

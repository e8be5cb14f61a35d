package settings_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"

	"github.com/betmakers/paddock/internal/settings"
)

// Whatever a variable holds, loading neither panics nor shows a secret, in the values or in an
// error.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{"", "1", "1s", "a,b", "postgres://u:p@h/d?x=y", "http://[", "${HOME}", "\x00", "-1", "1e9", "%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		const secret = "correct-horse-battery"
		var cfg struct {
			Text     string            `env:"TEXT"`
			Number   int               `env:"NUMBER"`
			Duration time.Duration     `env:"DURATION"`
			List     []string          `env:"LIST"`
			Map      map[string]string `env:"MAP"`
			Token    int               `env:"TOKEN"`
			Password string            `env:"PASSWORD"`
		}
		env := map[string]string{
			"TEXT": value, "NUMBER": value, "DURATION": value, "LIST": value, "MAP": value,
			"TOKEN": value + secret, "PASSWORD": value + secret,
		}
		list, err := settings.Loader{Lookup: envconfig.MapLookuper(env)}.Load(t.Context(), &cfg)
		if err == nil {
			t.Error("a token that is no number is no error")
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the secret is in the error: %v", err)
		}
		for _, s := range list {
			if strings.Contains(s.Value, secret) {
				t.Errorf("%s shows the secret: %q", s.Name, s.Value)
			}
		}
	})
}

// A value that is taken keeps its limits, and what stands in a tag never panics.
func FuzzLimits(f *testing.F) {
	f.Add("5", "1", "9")
	f.Add("1.5", "-1e308", "NaN")
	f.Add("", "", " ")
	f.Add("on", "on off", "off")
	f.Add("1h", "1ns", "2540400h")
	f.Fuzz(func(t *testing.T, value, least, most string) {
		tags := reflect.StructTag(fmt.Sprintf(`env:"LIMITED" min:%q max:%q`, least, most))
		choice := reflect.StructTag(fmt.Sprintf(`env:"LIMITED" oneof:%q`, least))
		env := map[string]string{"LIMITED": value}
		for _, typ := range []reflect.Type{
			reflect.TypeFor[int64](), reflect.TypeFor[float64](), reflect.TypeFor[time.Duration](), reflect.TypeFor[string](), reflect.TypeFor[[]int8](),
		} {
			for _, tag := range []reflect.StructTag{tags, choice} {
				target := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Field", Type: typ, Tag: tag}}))
				_, err := settings.Loader{Lookup: envconfig.MapLookuper(env)}.Load(t.Context(), target.Interface())
				got := target.Elem().Field(0)
				if err != nil || value == "" {
					continue
				}
				if tag == choice && typ.Kind() == reflect.String && !slices.Contains(strings.Fields(least), got.String()) {
					t.Errorf("%q is taken, which is none of %q", got, least)
				}
				if d, err := time.ParseDuration(least); tag == tags && typ == reflect.TypeFor[time.Duration]() && (err != nil || got.Int() < int64(d)) {
					t.Errorf("%v is taken, with the least %q", got, least)
				}
			}
		}
	})
}

// An address never shows its password.
func FuzzShownAddress(f *testing.F) {
	f.Add("postgres", "db/bets", "")
	f.Add("amqps", "", "?x=1")
	f.Add("http", "[::1]:80/", "#frag")
	f.Fuzz(func(t *testing.T, scheme, rest, tail string) {
		const secret = "correct-horse-battery"
		var cfg struct {
			Address string `env:"ADDRESS"`
		}
		if strings.ContainsAny(scheme, "/:@?#, \n") {
			return // then it is no scheme, and there is no address with a password
		}
		env := map[string]string{"ADDRESS": scheme + "://bob:" + secret + "@" + rest + tail}
		list, err := settings.Loader{Lookup: envconfig.MapLookuper(env)}.Load(t.Context(), &cfg)
		if err != nil || len(list) != 1 || strings.Contains(list[0].Value, secret) {
			t.Errorf("%q: got %+v, %v; want it without the password", env["ADDRESS"], list, err)
		}
	})
}

func FuzzUnknown(f *testing.F) {
	f.Add("APP_GRPC_ADR", ":1")
	f.Add("APP_ÄÖ", "")
	f.Add("=APP_", "=")
	f.Fuzz(func(t *testing.T, name, value string) {
		known := []settings.Setting{{Name: "APP_GRPC_ADDR"}, {Name: "APP_TIMEOUT"}}
		errs := settings.Unknown([]string{name + "=" + value}, "APP_", known)
		name, _, _ = strings.Cut(name, "=")
		if ours := strings.HasPrefix(name, "APP_"); len(errs) > 1 || !ours && len(errs) > 0 {
			t.Errorf("%q: got %q", name, errs)
		}
	})
}

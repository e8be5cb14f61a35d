package admin_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/betmakers/paddock/internal/admin"
)

// FuzzStructure puts one text into every string of a snapshot: the elements and attributes of each
// page are those that any other text gives.
func FuzzStructure(f *testing.F) {
	for _, text := range []string{hostile, "</td></tr></table>", `" onmouseover="alert(1)`, "' autofocus onfocus='", "<!--", "]]>", "&#60;b&#62;", "\x00<b>", "\xff<b>", "\r\n"} {
		f.Add(text)
	}
	paths := []string{"/debug/", "/debug/config", "/"}
	want := make(map[string][]string)
	for _, path := range paths {
		want[path] = structure(f, pageWith(f, path, "plain"))
		if len(want[path]) < 10 {
			f.Fatalf("%s has %d elements, want a whole page", path, len(want[path]))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		// A prefix keeps the text from being a word that means something, such as "down"; what
		// comes before the last slash of a method is its service.
		text = "is " + strings.ReplaceAll(text, "/", "|")
		for _, path := range paths {
			page := pageWith(t, path, text)
			if got := structure(t, page); !slices.Equal(got, want[path]) {
				t.Errorf("%s with %q:\n%q\nwant\n%q\nin %s", path, text, got, want[path], page)
			}
		}
	})
}

// pageWith returns a page about a service of which every string is the same text.
func pageWith(t testing.TB, path, text string) []byte {
	t.Helper()
	var s admin.Snapshot
	fill(reflect.ValueOf(&s).Elem(), text)
	h := admin.New(admin.Config{
		Service: text, Level: newLevel(), Snapshot: func() admin.Snapshot { return s },
		Explain: func(string, string, string) (string, bool) { return "", false },
	})
	defer h.Close()
	return call(h, "GET", path, "", "Accept", "text/html").Body.Bytes()
}

// fill sets every string in a value, gives every slice two items, and points every pointer at
// something.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() { // a time.Time stays zero
				fill(v.Field(i), text)
			}
		}
	}
}

// structure returns the tags of a page with the names of their attributes. It fails on an element
// that is not closed.
func structure(t testing.TB, page []byte) (tags []string) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(page))
	decoder.Strict, decoder.AutoClose = false, xml.HTMLAutoClose
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return tags
		}
		if err != nil {
			t.Fatalf("%v in %s", err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			tag := "<" + token.Name.Local
			for _, a := range token.Attr {
				tag += " " + a.Name.Local
			}
			tags = append(tags, tag+">")
		case xml.EndElement:
			tags = append(tags, "</"+token.Name.Local+">")
		case xml.Comment, xml.ProcInst:
			t.Fatalf("%T in %s", token, page)
		}
	}
}

func TestPagesAreTheSameBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, path := range []string{"/debug/", "/debug/config", "/"} {
			if a, b := pageWith(t, path, hostile), pageWith(t, path, hostile); !bytes.Equal(a, b) {
				t.Errorf("%s differs from itself:\n%s\n%s", path, a, b)
			}
		}
	})
}

package html_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/html"
)

func ExampleEl() {
	checks := []string{"ledger", "rates & odds"}
	page := html.Page(
		html.Leaf("h2", "Checks"),
		html.El("ul", html.Each(checks, func(name string) html.Part {
			return html.El("li.mono.small", html.Title(name), html.Text(name))
		})),
		html.If(len(checks) == 0, html.Leaf("p", "none")),
	)
	fmt.Printf("%s", page)
	// Output:
	// <!doctype html>
	// <html lang="en"><h2>Checks</h2><ul><li class="mono small" title="ledger">ledger</li>
	// <li class="mono small" title="rates &amp; odds">rates &amp; odds</li>
	// </ul>
	// </html>
}

func TestElements(t *testing.T) {
	for _, test := range []struct {
		name string
		part html.Part
		want string
	}{
		{"nothing", html.Part{}, ""},
		{"empty", html.El("td"), "<td></td>"},
		{"void", html.El("input", html.Attr("name", "caller"), html.Value("x")), `<input name="caller" value="x">`},
		{"attributes among content", html.El("p", html.Text("a"), html.Title("t"), html.Text("b")), `<p title="t">ab</p>`},
		{"empty attribute", html.El("option", html.Value(""), html.Attr("selected", "")), "<option value selected></option>"},
		{"attribute of a condition", html.El("p", html.If(true, html.Title("t")), html.If(false, html.Class("c"))), `<p title="t"></p>`},
		{"class at run time", html.El("p", html.Class("a b")), `<p class="a b"></p>`},
	} {
		if got, want := string(html.Page(test.part)), "<!doctype html>\n<html lang=\"en\">"+test.want+"</html>"; got != want {
			t.Errorf("%s: %s\nwant %s", test.name, got, want)
		}
	}
}

func TestNoElementWhoseTextIsCode(t *testing.T) {
	for name, element := range map[string]func(){
		"script": func() { html.Leaf("script", "") },
		"style":  func() { html.Leaf("style.a", "") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a %s element was made", name)
				}
			}()
			element()
		}()
	}
}

var hostile = []string{
	"", "plain", "<", ">", "&", `"`, "'", "&lt;", "&#60;script&#62;", "</p>", "-->", "]]>", "<!--", `" onclick="alert(1)`, "' x='",
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "\x00", "a\x00<\x00b", "\xff<", "\xc3", "\xe2\x80", "\xc0\xbc", "+ADw-script+AD4-",
	"\r\n\t", "\u2028", "\u202e", "\ufffe", "`${x}`", "javascript:alert(1)",
}

func TestNothingLeavesItsPlace(t *testing.T) {
	for _, s := range hostile {
		staysInPlace(t, s)
	}
}

func FuzzNothingLeavesItsPlace(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { staysInPlace(t, s) })
}

// staysInPlace puts a string into every place that takes one, reads the page with a parser that is
// not ours, and expects the elements that were written and in each place the string.
func staysInPlace(t *testing.T, s string) {
	t.Helper()
	page := html.Page(html.El("p", html.Title(s), html.Value(s), html.Class(s), html.Text(s)), html.Leaf("b", s))
	attribute := func(name string) string {
		if s == "" {
			return " " + name + "=" + name // written as a bare name, whose value the parser takes for the name
		}
		return " " + name + "=" + shown(s)
	}
	want := []string{
		"start html lang=en",
		"start p" + attribute("title") + attribute("value") + attribute("class"), "text " + shown(s), "end p",
		"start b", "text " + shown(s), "end b",
		"end html",
	}
	want = slices.DeleteFunc(want, func(token string) bool { return token == "text " })
	if got, err := read(page); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q: %v\nread\n%q\nwant\n%q\nin %s", s, err, got, want, page)
	}
	// Browsers read more leniently: none of what could end a place comes from the string.
	if got := strings.Count(string(page), "<") + strings.Count(string(page), ">"); got != 14 || bytes.ContainsAny(page, "'\x00") {
		t.Errorf("%q: %d angle brackets, want 14, and no single quotes: %s", s, got, page)
	}
	if got := strings.Count(string(page), `"`); got != 8 && s != "" {
		t.Errorf("%q: %d double quotes, want 8: %s", s, got, page)
	}
}

// shown is what a reader sees of a string: line ends are one character, and what cannot be written
// is U+FFFD.
func shown(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	var b strings.Builder
	for _, r := range s { // bytes that are not UTF-8 come as U+FFFD
		if r < ' ' && r != '\t' && r != '\n' || r == 0xFFFE || r == 0xFFFF {
			r = '\uFFFD'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// read returns the tags and texts of a page as a parser of XML sees them.
func read(page []byte) (tokens []string, err error) {
	decoder := xml.NewDecoder(bytes.NewReader(page))
	decoder.Strict = false // for attributes without a value
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return tokens, nil
		}
		if err != nil {
			return tokens, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			start := "start " + token.Name.Local
			for _, a := range token.Attr {
				start += " " + a.Name.Local + "=" + a.Value
			}
			tokens = append(tokens, start)
		case xml.EndElement:
			tokens = append(tokens, "end "+token.Name.Local)
		case xml.CharData:
			if len(tokens) > 0 { // after the line of the doctype
				tokens = append(tokens, "text "+string(token))
			}
		}
	}
}

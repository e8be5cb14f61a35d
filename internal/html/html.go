package html

import (
	stdhtml "html"
	"strings"
	"unicode/utf8"
)

// constant is what stands in the source of the program. Other packages cannot name the type, so all
// they can pass is a constant.
type constant string

// Part is what an element may hold: attributes, text, elements, or any of them together. The zero
// Part is nothing.
type Part struct{ attributes, content string }

// Page returns a whole document: what <html lang="en"> holds.
func Page(parts ...Part) []byte {
	lang := Attr("lang", "en")
	return []byte("<!doctype html>\n" + El("html", lang, All(parts...)).content)
}

// El returns an element, named by its tag and its classes: "div", "td.num.small". It has its
// attributes and content in the order of the parts; attributes may stand anywhere among them, and
// no name of them should be there twice. It panics for script and style, whose text has no
// escaping.
func El(selector constant, parts ...Part) Part {
	tag, classes, classed := strings.Cut(string(selector), ".")
	if tag == "script" || tag == "style" {
		panic("html: " + tag + " elements cannot hold text safely: put it into a file and link to it")
	}
	var class Part
	if classed {
		class = Class(strings.ReplaceAll(classes, ".", " "))
	}
	inner := All(parts...)
	start := "<" + tag + class.attributes + inner.attributes + ">"
	if void(tag) {
		return Part{content: start}
	}
	return Part{content: start + inner.content + "</" + tag + ">" + lineAfter(tag)}
}

// Leaf returns an element that holds only text.
func Leaf(selector constant, text string) Part { return El(selector, Text(text)) }

// Link returns a link. Its address comes from the source, as all addresses do.
func Link(address constant, text string) Part { return El("a", Attr("href", address), Text(text)) }

// All returns parts as one.
func All(parts ...Part) Part {
	var attributes, content strings.Builder
	for _, p := range parts {
		attributes.WriteString(p.attributes)
		content.WriteString(p.content)
	}
	return Part{attributes.String(), content.String()}
}

// Each returns what part makes of each item, as one.
func Each[T any](items []T, part func(T) Part) Part {
	parts := make([]Part, len(items))
	for i, item := range items {
		parts[i] = part(item)
	}
	return All(parts...)
}

// If returns the parts as one if the condition holds, and nothing otherwise. They are made in
// either case.
func If(condition bool, parts ...Part) Part {
	if !condition {
		return Part{}
	}
	return All(parts...)
}

// Text returns text, shown as it is.
func Text(s string) Part { return Part{content: escape(s)} }

// Attr returns an attribute with a value from the source. One whose value is empty is written as
// its name alone.
func Attr(name, value constant) Part { return attribute(name, string(value)) }

// Class returns the class attribute, of an element that has no classes in its selector.
func Class(names string) Part { return attribute("class", names) }

// Title returns the title attribute.
func Title(text string) Part { return attribute("title", text) }

// Value returns the value attribute.
func Value(text string) Part { return attribute("value", text) }

func attribute(name constant, value string) Part {
	if value == "" {
		return Part{attributes: " " + string(name)}
	}
	return Part{attributes: " " + string(name) + `="` + escape(value) + `"`}
}

// escape makes text safe between tags and between quotes. What HTML cannot hold is shown as U+FFFD,
// which is what a browser would do: bytes that are not UTF-8, control characters.
func escape(s string) string { return stdhtml.EscapeString(strings.Map(printable, s)) }

func printable(r rune) rune {
	switch {
	case r == '\t', r == '\n', r == '\r':
		return r
	case r < ' ', r == 0xFFFE, r == 0xFFFF:
		return utf8.RuneError
	}
	return r
}

// void reports whether an element has no content, of those that are in use.
func void(tag string) bool { return tag == "meta" || tag == "link" || tag == "input" }

// lineAfter ends the line after elements beside which white space does not show.
func lineAfter(tag string) string {
	switch tag {
	case "head", "header", "nav", "main", "section", "table", "thead", "tbody", "tr", "ul", "li", "dl", "form", "footer":
		return "\n"
	}
	return ""
}

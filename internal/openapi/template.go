package openapi

import (
	"fmt"
	"strings"
)

// template is a path template of google.api.http: literals, wildcards and variables, and a verb
// behind a colon.
type template struct {
	segments []segment
	verb     string
}

// segment is a literal, a wildcard (`*`, `**`), or a variable with segments of its own, which are
// never variables.
type segment struct {
	literal  string
	wildcard bool
	deep     bool // of a wildcard: matches any number of segments
	variable string
	inner    []segment
}

// parseTemplate reads the syntax that google/api/http.proto describes.
func parseTemplate(s string) (template, error) {
	if !strings.HasPrefix(s, "/") {
		return template{}, fmt.Errorf("path %q must begin with a slash", s)
	}
	path, verb, found := cutVerb(s)
	if found && verb == "" {
		return template{}, fmt.Errorf("path %q ends with a colon: name the verb behind it", s)
	}
	segments, err := parseSegments(path[1:], true)
	if err != nil {
		return template{}, fmt.Errorf("path %q: %w", s, err)
	}
	return template{segments, verb}, nil
}

// cutVerb cuts the verb off, as grpc-gateway does: it begins at the last colon of the last segment,
// and behind a variable at the first.
func cutVerb(s string) (path, verb string, found bool) {
	last := strings.LastIndexAny(s, "/}") + 1
	i := strings.LastIndexByte(s[last:], ':')
	if s[last-1] == '}' {
		i = strings.IndexByte(s[last:], ':')
	}
	if i < 0 {
		return s, "", false
	}
	return s[:last+i], s[last+i+1:], true
}

func parseSegments(s string, variables bool) ([]segment, error) {
	var segments []segment
	for s != "" {
		var part string
		if s[0] == '{' {
			end := strings.IndexByte(s, '}')
			if end < 0 {
				return nil, fmt.Errorf("%q is not closed", s)
			}
			part, s = s[:end+1], s[end+1:]
			if s != "" && s[0] != '/' {
				return nil, fmt.Errorf("%q must be followed by a slash or the end", part)
			}
		} else if end := strings.IndexByte(s, '/'); end >= 0 {
			part, s = s[:end], s[end:]
		} else {
			part, s = s, ""
		}
		seg, err := parseSegment(part, variables)
		if err != nil {
			return nil, err
		}
		segments = append(segments, seg)
		if s == "/" {
			return nil, fmt.Errorf("a slash at the end matches nothing")
		}
		s = strings.TrimPrefix(s, "/")
	}
	return segments, nil
}

func parseSegment(s string, variables bool) (segment, error) {
	switch {
	case s == "*" || s == "**":
		return segment{wildcard: true, deep: s == "**"}, nil
	case s == "" || strings.ContainsAny(s, "}") && s[0] != '{' || strings.Contains(s[1:], "{"):
		return segment{}, fmt.Errorf("%q is not a segment", s)
	case s[0] != '{':
		return segment{literal: s}, nil
	case !variables:
		return segment{}, fmt.Errorf("%q stands within a variable", s)
	}
	name, inner, found := strings.Cut(s[1:len(s)-1], "=")
	if !found {
		inner = "*"
	}
	segments, err := parseSegments(inner, false)
	if err != nil {
		return segment{}, err
	}
	if name == "" || len(segments) == 0 {
		return segment{}, fmt.Errorf("%q needs a field, and segments behind an equals sign", s)
	}
	return segment{variable: name, inner: segments}, nil
}

// pathParam is a parameter of an OpenAPI path: one wildcard of a template.
type pathParam struct {
	name  string
	field string // path of the request's field that it is or is part of; empty for a wildcard outside of variables
	whole bool   // the parameter is all of the field
	deep  bool   // its value may hold slashes
	form  string // what the field looks like, where the parameter is only a part: notes/{name}
}

// openAPI returns the template as OpenAPI writes it, where a parameter is one segment:
// /v1/{name=notes/*} becomes /v1/notes/{name}, so that the routes of two kinds of resources stay
// apart.
func (t template) openAPI() (path string, params []pathParam) {
	var b strings.Builder
	bare := 0
	for _, seg := range t.segments {
		switch {
		case seg.variable != "":
			form, inner := seg.expand()
			b.WriteString("/" + form)
			params = append(params, inner...)
		case seg.wildcard:
			bare++
			p := pathParam{name: fmt.Sprintf("wildcard_%d", bare), deep: seg.deep}
			b.WriteString("/{" + p.name + "}")
			params = append(params, p)
		default:
			b.WriteString("/" + seg.literal)
		}
	}
	if len(t.segments) == 0 {
		b.WriteString("/")
	}
	if t.verb != "" {
		b.WriteString(":" + t.verb)
	}
	return b.String(), params
}

// expand writes a variable out as literals and parameters: one wildcard is named as the field,
// several are numbered.
func (s segment) expand() (form string, params []pathParam) {
	wildcards := 0
	for _, in := range s.inner {
		if in.wildcard {
			wildcards++
		}
	}
	parts := make([]string, len(s.inner))
	for i, in := range s.inner {
		parts[i] = in.literal
		if in.wildcard {
			name := s.variable
			if wildcards > 1 {
				name = fmt.Sprintf("%s_%d", s.variable, len(params)+1)
			}
			params = append(params, pathParam{name: name, field: s.variable, whole: len(s.inner) == 1, deep: in.deep})
			parts[i] = "{" + name + "}"
		}
	}
	form = strings.Join(parts, "/")
	for i := range params {
		params[i].form = form
	}
	return form, params
}

// bound returns the paths of the fields that the template's variables set.
func (t template) bound() map[string]bool {
	fields := make(map[string]bool)
	for _, seg := range t.segments {
		if seg.variable != "" {
			fields[seg.variable] = true
		}
	}
	return fields
}

package contract

import (
	"errors"
	"fmt"
	"strings"
)

// Pattern matches callers. The zero value matches no caller.
type Pattern struct {
	text string
	kind patternKind
}

type patternKind int

const (
	noCaller     patternKind = iota
	ownService               // "web": a path in the own trust domain
	spiffeID                 // "spiffe://example.org/web"
	tokenSubject             // "user:alice"
)

const (
	spiffePrefix = "spiffe://"
	userPrefix   = "user:"
	maxPattern   = 2048 // a SPIFFE ID has no more bytes
)

// Caller is a proven identity: a SPIFFE ID by mutual TLS, the subject of a bearer token, or both.
// The zero value is a caller that has proved nothing.
type Caller struct {
	ID      string // "spiffe://example.org/web"
	Subject string // of an accepted token
}

// Anonymous reports whether the caller proved nothing.
func (c Caller) Anonymous() bool { return c.ID == "" && c.Subject == "" }

// ParsePattern parses a pattern in the grammar of the option callers.
func ParsePattern(text string) (Pattern, error) {
	if text == "" || len(text) > maxPattern {
		return Pattern{}, fmt.Errorf("a caller has 1 to %d letters", maxPattern)
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }); i >= 0 {
		return Pattern{}, errors.New("a caller has no blanks, control characters or letters beyond ASCII")
	}
	if subject, ok := strings.CutPrefix(text, userPrefix); ok {
		if subject == "" {
			return Pattern{}, errors.New("user: has no subject behind it")
		}
		return Pattern{text, tokenSubject}, nil
	}
	if rest, ok := strings.CutPrefix(text, spiffePrefix); ok {
		domain, path, _ := strings.Cut(rest, "/")
		if err := checkDomain(domain); err != nil {
			return Pattern{}, err
		}
		return pattern(text, spiffeID, path)
	}
	return pattern(text, ownService, text)
}

func pattern(text string, kind patternKind, path string) (Pattern, error) {
	if err := checkPath(path); err != nil {
		return Pattern{}, err
	}
	return Pattern{text, kind}, nil
}

// checkDomain checks that a trust domain has only the letters that SPIFFE allows. A * would admit
// every operator of an authority.
func checkDomain(domain string) error {
	if domain == "" {
		return errors.New("spiffe:// has no trust domain behind it")
	}
	for _, r := range domain {
		if !isLower(r) && r != '.' && r != '-' && r != '_' {
			return fmt.Errorf("the trust domain %q has %q in it: lower-case letters, digits, dots, dashes and underscores are allowed, and no *", domain, r)
		}
	}
	return nil
}

// checkPath checks that a path has only the letters that SPIFFE allows, and *.
func checkPath(path string) error {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Errorf("the path %q has an empty or dotted segment: a name, or names with slashes between, are expected", path)
		}
		for _, r := range segment {
			if !isLower(r) && (r < 'A' || r > 'Z') && r != '.' && r != '-' && r != '_' && r != '*' {
				return fmt.Errorf("the path %q has %q in it: letters, digits, dots, dashes, underscores and * are allowed", path, r)
			}
		}
	}
	return nil
}

func isLower(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }

func (p Pattern) String() string { return p.text }

// User reports whether p matches users, by the subjects of their tokens, and not services.
func (p Pattern) User() bool { return p.kind == tokenSubject }

// Match reports whether p matches c. domain is the own trust domain, empty if there is none.
func (p Pattern) Match(c Caller, domain string) bool {
	switch p.kind {
	case tokenSubject:
		subject := p.text[len(userPrefix):]
		return c.Subject != "" && (subject == "*" || Wildcard(subject, c.Subject)) // subjects may have slashes
	case spiffeID:
		return c.ID != "" && Wildcard(p.text, c.ID)
	case ownService:
		path, own := inDomain(c.ID, domain)
		return own && Wildcard(p.text, path)
	default:
		return false
	}
}

// inDomain returns the path of a SPIFFE ID, without its slash, if it belongs to domain.
func inDomain(id, domain string) (path string, ok bool) {
	if domain == "" {
		return "", false
	}
	rest, ok := strings.CutPrefix(id, spiffePrefix)
	if !ok {
		return "", false
	}
	its, path, _ := strings.Cut(rest, "/")
	return path, path != "" && its == domain
}

// ServiceName returns the path of a SPIFFE ID, without its slash, which is the name of a service.
// It reports false for an ID of another trust domain than domain, and for an empty domain.
func ServiceName(id, domain string) (name string, own bool) { return inDomain(id, domain) }

// InDomain reports whether a SPIFFE ID belongs to domain. It is false for an empty domain.
func InDomain(id, domain string) bool {
	_, ok := inDomain(id, domain)
	return ok
}

// Wildcard matches text against pattern, in which * matches any letters but a slash. Its time is
// bounded by the product of their lengths.
func Wildcard(pattern, text string) bool {
	star, mark := -1, 0 // the last * met, and how much of text it stands for
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p++
			t++
		case star >= 0 && text[mark] != '/':
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

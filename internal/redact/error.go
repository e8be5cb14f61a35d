package redact

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Error returns the text of err. Where err is or wraps a [url.Error], as those of http.Client are,
// user, query and fragment of its URL are masked.
func Error(err error) string {
	text := err.Error()
	if urls := urlsOf(nil, err); len(urls) > 0 {
		slices.SortFunc(urls, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // none is cut by one it begins with
		return strings.NewReplacer(masked(urls)...).Replace(text)
	}
	return text
}

// urlsOf appends the URLs with something to mask that are in the tree of err.
func urlsOf(urls []string, err error) []string {
	for depth := 0; err != nil && depth < maxDepth && len(urls) < maxNodes; depth++ {
		if e, ok := err.(*url.Error); ok && Values(e.URL) != e.URL { //nolint:errorlint // each of the tree is looked at
			urls = append(urls, e.URL)
		}
		switch wrapping := err.(type) { //nolint:errorlint // each of the tree is looked at
		case interface{ Unwrap() error }:
			err = wrapping.Unwrap()
		case interface{ Unwrap() []error }:
			for _, inner := range wrapping.Unwrap() {
				urls = urlsOf(urls, inner)
			}
			return urls
		default:
			return urls
		}
	}
	return urls
}

// masked returns what replaces each URL, and each in the quotes that url.Error puts around it.
func masked(urls []string) []string {
	var pairs []string
	for _, u := range urls {
		hidden := Values(u)
		pairs = append(pairs, strconv.Quote(u), strconv.Quote(hidden), u, hidden)
	}
	return pairs
}

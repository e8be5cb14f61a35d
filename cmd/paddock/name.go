package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The template is a service that compiles, and has these names. Each form of its name is another
// text, as it has two words, so a new name can be put in the place of each.
const (
	templateModule = "github.com/betmakers/paddock/examples/template"
	templateDashes = "corner-shop"
	templateSnake  = "corner_shop"
	templateFlat   = "cornershop"
	templatePascal = "CornerShop"
	templateCamel  = "cornerShop"
	templateUpper  = "CORNER_SHOP"
)

// serviceName is what the chassis accepts as Service.Name.
var serviceName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// longestName leaves room for -rest in the name of a Kubernetes Service, which has at most 63
// letters.
const longestName = 63 - len("-rest")

// taken are names that something else in a rendered service has.
var taken = []string{"prices", "paddock", "google", "buf", "internal", "vendor", "testdata"}

// checkName reports why a service cannot have a name.
func checkName(name string) error {
	switch {
	case !serviceName.MatchString(name):
		return fmt.Errorf("%q cannot be the name of a service: it must begin with a letter, end with a letter or digit, "+
			"and have at most %d lower-case letters, digits and dashes, such as big-bank", name, longestName)
	case len(name) > longestName:
		return fmt.Errorf("%q has %d letters: at most %d leave room for -rest in the name of its Kubernetes Service", name, len(name), longestName)
	case slices.Contains(taken, strings.Join(words(name), "")):
		return fmt.Errorf("%q is the name of something else in a service: choose another, such as %s-service", name, name)
	}
	return nil
}

func words(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "-"), func(word string) bool { return word == "" })
}

// renamer returns what puts the names of a new service in the place of the template's.
func renamer(name, module string) *strings.Replacer {
	parts := words(name)
	var pascal strings.Builder
	for _, part := range parts {
		pascal.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	snake := strings.Join(parts, "_")
	return strings.NewReplacer(
		templateModule, module,
		templateDashes, name,
		templateSnake, snake,
		templateFlat, strings.Join(parts, ""),
		templatePascal, pascal.String(),
		templateCamel, parts[0]+strings.TrimPrefix(pascal.String(), strings.ToUpper(parts[0][:1])+parts[0][1:]),
		templateUpper, strings.ToUpper(snake),
	)
}

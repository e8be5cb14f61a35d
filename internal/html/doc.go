// Package html writes HTML pages whose markup stands in the source of the program and nowhere else.
//
// Names of elements, of attributes, and the values of most attributes have to be constants: their
// parameters have a type that this package does not export, so a string variable does not compile
// there. What is only known at run time can be text ([Text], [Leaf]) or the value of [Class],
// [Title] or [Value], and is escaped in each, so that it cannot end the text or the attribute it
// stands in. None of the three is an address or a script.
//
//	html.El("section.wide", html.Leaf("h2", "Checks"), html.El("p", html.Class(tone), html.Text(message)))
//
// It is there instead of html/template because that package calls methods by names that are known
// at run time only, for which the linker keeps every exported method of every type in the program:
// some 17 % of a service's binary.
//
// The same calls give the same bytes.
package html

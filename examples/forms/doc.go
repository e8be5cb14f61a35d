// Package forms has tests of REST with messages, routes and streams of each shape. They are here
// because the types of google.api are in a module that Paddock itself does not require.
package forms

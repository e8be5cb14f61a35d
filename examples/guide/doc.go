// Package guide has the code of docs/tasks, and the examples of package chassis that need generated
// code. The others stand beside the package.
package guide

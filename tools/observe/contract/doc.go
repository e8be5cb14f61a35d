// Package contract holds PromQL expressions to the catalogue of metrics. Each expression is parsed
// by Prometheus' own parser. A metric that the catalogue does not have, a label that the metric
// does not have, and a rate of what is no counter are errors, also where a recorded series stands
// between the metric and the reader.
package contract

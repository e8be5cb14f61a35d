package mtls

// ParseCertificates is here for the fuzz test: through files it would try a thousand times fewer
// inputs.
var ParseCertificates = parseCertificates

// ParseRevocations returns how many issuers have lists in data.
func ParseRevocations(data []byte) (issuers int, err error) {
	r, err := parseRevocations(data)
	return len(r.lists), err
}

package mtls

// ParseCertificates is here for the fuzz test: through files it would try a thousand times fewer inputs.
var ParseCertificates = parseCertificates

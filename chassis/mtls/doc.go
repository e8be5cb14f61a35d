// Package mtls provides a service's certificate and trusted roots for every TLS handshake.
//
// A [Source] returns both as one immutable [Identity]. There are three sources:
//
//   - [Files] reads a certificate, a key and trusted roots from PEM files and follows their
//     replacement on disk.
//   - [Development] makes a certificate authority under the user's state folder, shared by the
//     services of the machine, and mints certificates of one hour from it. Do not use it in
//     production.
//   - [SPIFFE] gets all of them from a SPIFFE Workload API, such as SPIRE's agent.
//
// Each handshake asks the source, so a new certificate and an added or removed authority take
// effect at the next connection. Sessions are never resumed.
//
// # Server and client
//
//   - [ServerCredentials] are for a gRPC server. A client must present a certificate that the
//     trusted roots verify.
//   - [Listener] and [ConnContext] are for an HTTPS server. A client may present a certificate.
//   - [ClientTLS] is for clients of both.
//
// Only TLS 1.3 is accepted. Refused handshakes are counted by reason and logged, at a bounded
// rate, with the peer's address.
//
// # Identity of a peer
//
// The identity of a certificate is its SPIFFE ID: the only URI among its alternative names. A
// certificate without a URI is accepted if the roots verify it, and has no identity. These are
// rejected, by the rules of X.509-SVID for leaves:
//
//   - certificates with several URIs, or with a URI that is not a SPIFFE ID
//   - certificates of an authority
//   - certificates whose ID has no path
//   - certificates whose key usage has keyCertSign or cRLSign, or lacks digitalSignature
//   - chains with an RSA key of less than 2048 bits
//
// Handlers read the caller's identity with [PeerID].
//
// With [Files] and [Development], an authority (root or intermediate) whose certificate has a
// SPIFFE ID is trusted only for identities of that trust domain. An authority without one is
// trusted for all identities. With [SPIFFE], each trust domain has its own roots: the service's
// own domain, and the domains that the Workload API delivers as federated. The roots of one
// domain are not trusted for identities of another.
//
// # Expiry of a peer
//
// On open connections of a server, a certificate stays valid only while a new handshake would
// accept it. [AuthInfo.Valid] and [PeerID] detect that the certificate or an authority of its
// chain has expired, that a list in [FilesConfig.CRLFile] revokes it, or that the source no
// longer trusts its authority. Clients are asked to reconnect before a certificate expires. Their
// connections are cut 10 s after it has become invalid.
package mtls

// Package mtls answers two questions for every TLS handshake of a service: who am I, and whom do I trust.
//
// A [Source] gives both as one immutable [Identity]. There are three:
//
//   - [Files] reads a certificate, a key and trusted roots from PEM files and follows their replacement on disk.
//   - [Development] makes a certificate authority under the user's state folder, shared by the services of the
//     machine, and mints certificates of one hour from it. It is not for production.
//   - [SPIFFE] is given everything by a SPIFFE Workload API, such as SPIRE's agent.
//
// The handshake asks the source each time, so a replaced certificate and an added or removed authority are in force
// for the next connection, while connections already made live on. Nothing is ever resumed from a session ticket.
//
// # Server and client
//
// [ServerCredentials] is for a gRPC server, [Listener] and [ConnContext] for an HTTPS one, [ClientTLS] for clients of
// either. Only TLS 1.3 is spoken. A gRPC client must present a certificate that the trusted roots verify; on HTTPS it
// may. Handshakes that are refused are counted by reason, and logged at a bounded rate with the peer's address.
//
// # Identity of a peer
//
// A certificate's identity is its SPIFFE ID: the one URI among its alternative names. A certificate without any URI is
// accepted if the roots verify it, and its holder has no identity. One with several URIs, or one that is not a SPIFFE ID,
// is refused. Handlers read the caller's identity with [PeerID].
//
// With [Files] and [Development] the roots are trusted for every identity that they vouch for. With [SPIFFE] each trust
// domain has its own roots: those of the service's own domain, and those of the domains that the Workload API delivers
// as federated. No domain's roots are trusted for the identities of another.
package mtls

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
// for the next connection. Nothing is ever resumed from a session ticket.
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
// accepted if the roots verify it, and its holder has no identity. One with several URIs, with one that is not a
// SPIFFE ID, or that breaks the rules of X.509-SVID for leaves is refused: an authority's, one whose ID has no path,
// one whose key usage has keyCertSign or cRLSign or lacks digitalSignature. RSA keys in a chain have 2048 bits at
// least. Handlers read the caller's identity with [PeerID].
//
// With [Files] and [Development] an authority, root or not, that names a trust domain by a SPIFFE ID of its own is
// trusted for the identities of that domain alone; one that names none, for every identity that it vouches for. With
// [SPIFFE] each trust domain has its own roots: those of the service's own domain, and those of the domains that the
// Workload API delivers as federated. No domain's roots are trusted for the identities of another.
//
// # The end of an identity
//
// On a server's connections a certificate counts for as long as it would count in a new handshake: [AuthInfo.Valid]
// and [PeerID] notice that it, or an authority of its chain, has expired, that a list in [FilesConfig.CRLFile] has
// revoked it, and that the source trusts its authority no longer. Clients are asked to make a new connection before a
// certificate expires, and are cut 10 s after it has ended.
package mtls

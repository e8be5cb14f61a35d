// Package websocket tries WebSocket libraries in App.Handle: gorilla/websocket and coder/websocket,
// each as a server, with both as clients. They take the connection over by http.Hijacker, through
// HTTP middleware too.
package websocket

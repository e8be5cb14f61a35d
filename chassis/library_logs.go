package chassis

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/grpclog"
)

// libraryLogs forwards the log of gRPC to the service's log. Its zero value writes to standard
// error.
type libraryLogs struct{ logger atomic.Pointer[slog.Logger] }

// takeGRPC redirects gRPC's log to l. GRPC_GO_LOG_SEVERITY_LEVEL and GRPC_GO_LOG_VERBOSITY_LEVEL
// apply; by default only errors are logged. Call it before any other use of gRPC.
func (l *libraryLogs) takeGRPC() {
	verbosity, _ := strconv.Atoi(os.Getenv("GRPC_GO_LOG_VERBOSITY_LEVEL"))
	errors, warnings, infos := io.Discard, io.Discard, io.Discard
	switch strings.ToLower(os.Getenv("GRPC_GO_LOG_SEVERITY_LEVEL")) {
	case "info":
		infos = l // gRPC writes what is worse there, too
	case "warning":
		warnings = l
	default:
		errors = l
	}
	grpclog.SetLoggerV2(grpclog.NewLoggerV2WithVerbosity(infos, warnings, errors, verbosity))
}

// use forwards to logger from now on: the lines of gRPC, and those of the standard library's
// loggers unless the service has set their destination.
func (l *libraryLogs) use(logger *slog.Logger) {
	if l == nil {
		return
	}
	l.logger.Store(logger)
	if log.Writer() == os.Stderr && fmt.Sprintf("%T", slog.Default().Handler()) == "*slog.defaultHandler" {
		slog.SetDefault(logger) // and log's
	}
}

// Write accepts a line of gRPC, such as "2026/11/28 02:37:05 ERROR: text".
func (l *libraryLogs) Write(line []byte) (int, error) {
	severity, text, ok := strings.Cut(string(bytes.TrimSpace(line)), ": ")
	severity = severity[strings.LastIndexByte(severity, ' ')+1:]
	logger := l.logger.Load()
	if logger == nil || !ok || severity == "FATAL" { // after FATAL the process exits at once
		return os.Stderr.Write(line)
	}
	level := slog.LevelWarn // gRPC's errors are those of connections as a rule
	if severity == "INFO" {
		level = slog.LevelInfo
	}
	logger.Log(context.Background(), level, "gRPC says", "severity", strings.ToLower(severity), "text", text)
	return len(line), nil
}

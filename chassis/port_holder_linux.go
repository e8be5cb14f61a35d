package chassis

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// holderOf returns the process that listens on a TCP port, for people: empty if the system does
// not tell, as for a process of another user.
func holderOf(port string) string {
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return ""
	}
	sockets := map[string]bool{} // as links of file descriptors name them
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table) // empty if there is no such table
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line) // see proc_net_tcp.rst of the kernel: 0A is LISTEN
			if len(fields) > 9 && fields[3] == "0A" && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", number)) {
				sockets["socket:["+fields[9]+"]"] = true
			}
		}
	}
	if len(sockets) == 0 {
		return ""
	}
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is valid
	for _, d := range descriptors {
		if link, err := os.Readlink(d); err == nil && sockets[link] {
			process := filepath.Dir(filepath.Dir(d))
			name, _ := os.ReadFile(filepath.Join(process, "comm")) // it may have ended meanwhile
			return fmt.Sprintf("process %s (%s)", filepath.Base(process), strings.TrimSpace(string(name)))
		}
	}
	return ""
}

package mtls

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// openToOthers returns the files and folders that users other than the owner and the group may
// write, and the key if they may read it, with their modes. The group may read: Kubernetes'
// fsGroup and the ssl-cert group of distributions give keys to services in this way.
func (f fileSet) openToOthers() (open []string) {
	if !permissions {
		return nil
	}
	for _, path := range f.each() {
		var forbidden fs.FileMode = 0o002
		if path == f.key && !mountedByKubelet(path) {
			forbidden = 0o006
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&forbidden != 0 {
			open = append(open, fmt.Sprintf("%s (%04o)", path, info.Mode().Perm()))
		}
	}
	for _, folder := range f.folders() {
		info, err := os.Stat(folder)
		if err == nil && info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 && !mountedByKubelet(filepath.Join(folder, "x")) {
			open = append(open, fmt.Sprintf("%s (%04o)", folder, info.Mode().Perm()))
		}
	}
	return open
}

// mountedByKubelet reports whether a file is in a volume written by the kubelet, which uses a
// link of this name. The kubelet gives the folder mode 0777, on a file system in memory that only
// the pod can see.
func mountedByKubelet(path string) bool {
	info, err := os.Lstat(filepath.Join(filepath.Dir(path), "..data"))
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

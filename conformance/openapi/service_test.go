package openapi_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/betmakers/paddock/internal/openapi"
)

// patience is how long a tool or a start may take: far longer than it ever does.
const patience = 2 * time.Minute

// startHello builds and starts the example, and returns the address of its REST port.
func startHello(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "hello")
	run(t, "go", "build", "-C", "../../examples", "-o", binary, "./hello")
	cmd := exec.CommandContext(t.Context(), binary) //nolint:gosec // built just now
	home := t.TempDir()
	cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "CHASSIS_HTTP_DOCS=true",
		"CHASSIS_GRPC_ADDR=localhost:0", "CHASSIS_HTTP_ADDR=localhost:0", "CHASSIS_ADMIN_ADDR=localhost:0"}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ports := make(chan string, 1)
	read := make(chan struct{})
	go func() { // to the end, so that hello can log
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if _, rest, ok := strings.Cut(lines.Text(), "REST on "); ok && strings.Contains(lines.Text(), "ports_bound") {
				ports <- strings.TrimRight(rest, `"}`)
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait() // it was killed
	})
	select {
	case address := <-ports:
		return "http://" + address
	case <-read:
		t.Fatal("hello has ended")
	case <-time.After(patience):
		t.Fatal("hello does not start")
	}
	return ""
}

func fetch(t *testing.T, url string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, answer.Status, err)
	}
	return body
}

// bigDocument returns the document of a service with every kind of field and route: that of the
// tests of internal/openapi.
func bigDocument(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../../internal/openapi/testdata/notes.binpb")
	if err != nil {
		t.Fatal(err)
	}
	types := new(protoregistry.Types)
	files := decode(t, data, types)
	for _, name := range []protoreflect.FullName{"google.api.http", "google.api.field_behavior"} {
		d, err := files.FindDescriptorByName(name)
		if err == nil {
			err = types.RegisterExtension(dynamicpb.NewExtensionType(d.(protoreflect.ExtensionDescriptor)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	file, err := decode(t, data, types).FindFileByPath("notes/v1/notes.proto")
	if err != nil {
		t.Fatal(err)
	}
	var services []protoreflect.ServiceDescriptor
	for i := range file.Services().Len() {
		services = append(services, file.Services().Get(i))
	}
	info := openapi.Info{Title: "notes", Version: "v1", MutualTLS: true, Bearer: true, Terms: func(string) (openapi.Terms, bool) {
		return openapi.Terms{Deadline: time.Second, Callers: "web"}, true
	}}
	doc, err := openapi.Document(info, services)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(doc)
}

func decode(t *testing.T, data []byte, types *protoregistry.Types) *protoregistry.Files {
	t.Helper()
	var set descriptorpb.FileDescriptorSet
	if err := (proto.UnmarshalOptions{Resolver: types}).Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

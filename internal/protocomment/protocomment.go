// Package protocomment finds the comments of a .proto in a binary. protoc-gen-go leaves them out of
// its descriptors, so protoc-gen-comments puts them into a file of their own, which has no
// declarations, and registers it beside the others.
package protocomment

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// prefix makes the registered name of the comments of a file from its own.
const prefix = "paddock/comments/"

// Of returns the comment in front of a declaration, or else behind it, as [clean] leaves it. It is
// empty where the binary has none.
func Of(d protoreflect.Descriptor) string {
	file := d.ParentFile()
	if file == nil {
		return ""
	}
	if text := textOf(file.SourceLocations().ByDescriptor(d)); text != "" {
		return text
	}
	comments, err := protoregistry.GlobalFiles.FindFileByPath(prefix + file.Path())
	path := pathOf(d)
	if err != nil || path == nil {
		return ""
	}
	return textOf(comments.SourceLocations().ByPath(path))
}

func textOf(l protoreflect.SourceLocation) string {
	if text := clean(l.LeadingComments); text != "" {
		return text
	}
	return clean(l.TrailingComments)
}

// Numbers of the fields in descriptor.proto that lists of declarations have.
const (
	messagesOfFile, enumsOfFile, servicesOfFile                = 4, 5, 6
	fieldsOfMessage, messagesOfMessage, enumsOfMessage, oneofs = 2, 3, 4, 8
	valuesOfEnum, methodsOfService                             = 2, 2
)

// pathOf returns the path of a declaration in the descriptor of its file, nil for one that has
// none.
func pathOf(d protoreflect.Descriptor) protoreflect.SourcePath {
	var path protoreflect.SourcePath
	for {
		parent := d.Parent()
		list := listOf(d, parent)
		if list == 0 {
			return nil
		}
		path = append(protoreflect.SourcePath{list, int32(d.Index())}, path...) //nolint:gosec // a place in a list
		if _, ok := parent.(protoreflect.FileDescriptor); ok {
			return path
		}
		d = parent
	}
}

// listOf returns the list of the parent that holds d, zero for none.
func listOf(d, parent protoreflect.Descriptor) int32 {
	_, inFile := parent.(protoreflect.FileDescriptor)
	switch d := d.(type) {
	case protoreflect.MessageDescriptor:
		if inFile {
			return messagesOfFile
		}
		return messagesOfMessage
	case protoreflect.EnumDescriptor:
		if inFile {
			return enumsOfFile
		}
		return enumsOfMessage
	case protoreflect.ServiceDescriptor:
		return servicesOfFile
	case protoreflect.FieldDescriptor:
		if d.IsExtension() {
			return 0
		}
		return fieldsOfMessage
	case protoreflect.OneofDescriptor:
		return oneofs
	case protoreflect.EnumValueDescriptor:
		return valuesOfEnum
	case protoreflect.MethodDescriptor:
		return methodsOfService
	default:
		return 0
	}
}

// Extract returns the file of comments for a file that was compiled with its source: what [Of]
// reads and no more. Comments within options are left out, as they are about the option. It reports
// false where there is none.
func Extract(file *descriptorpb.FileDescriptorProto) (comments *descriptorpb.FileDescriptorProto, found bool) {
	info := new(descriptorpb.SourceCodeInfo)
	for _, l := range file.GetSourceCodeInfo().GetLocation() {
		text := clean(l.GetLeadingComments())
		if text == "" {
			text = clean(l.GetTrailingComments())
		}
		if text == "" || !isDeclaration(l.GetPath()) {
			continue
		}
		info.Location = append(info.Location, &descriptorpb.SourceCodeInfo_Location{
			Path: l.GetPath(), Span: []int32{0, 0, 0}, LeadingComments: proto.String(text),
		})
	}
	return &descriptorpb.FileDescriptorProto{Name: proto.String(prefix + file.GetName()), SourceCodeInfo: info}, len(info.GetLocation()) > 0
}

// isDeclaration reports whether pathOf returns such a path.
func isDeclaration(path []int32) bool {
	if len(path) == 0 || len(path)%2 != 0 {
		return false
	}
	within := map[int32]string{messagesOfFile: "message", enumsOfFile: "enum", servicesOfFile: "service"}[path[0]]
	for i := 2; i < len(path); i += 2 {
		switch {
		case within == "message" && path[i] == messagesOfMessage:
		case within == "message" && path[i] == enumsOfMessage:
			within = "enum"
		case within == "message" && (path[i] == fieldsOfMessage || path[i] == oneofs),
			within == "enum" && path[i] == valuesOfEnum, within == "service" && path[i] == methodsOfService:
			within = "leaf"
		default:
			return false
		}
	}
	return within != ""
}

// directives begin the lines of a comment that are for a tool and not for a reader.
var directives = []string{"buf:lint:", "protolint:", "@exclude"}

// clean removes what is not for the readers of an API: the blanks that begin a line, directives for
// tools, and internal comments, which stand between (-- and --) as https://google.aip.dev/192 has
// it.
func clean(text string) string {
	for {
		before, rest, found := strings.Cut(text, "(--")
		if !found {
			break
		}
		_, after, _ := strings.Cut(rest, "--)") // without an end, all of the rest is internal
		text = before + after
	}
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if !isDirective(line) {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func isDirective(line string) bool {
	for _, prefix := range directives {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

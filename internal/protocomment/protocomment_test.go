package protocomment_test

import (
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/betmakers/paddock/internal/protocomment"
)

const file = "notes/v1/notes.proto"

// notes returns the file of the tests of openapi, with its comments or as protoc-gen-go leaves it.
func notes(t *testing.T, comments bool) (protoreflect.FileDescriptor, *descriptorpb.FileDescriptorProto) {
	t.Helper()
	data, err := os.ReadFile("../openapi/testdata/notes.binpb")
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	var source *descriptorpb.FileDescriptorProto
	for _, f := range set.GetFile() {
		if f.GetName() == file {
			source = proto.CloneOf(f)
		}
		if !comments {
			f.SourceCodeInfo = nil
		}
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := files.FindFileByPath(file)
	if err != nil {
		t.Fatal(err)
	}
	return fd, source
}

// declarations calls visit for every declaration of a file.
func declarations(fd protoreflect.FileDescriptor, visit func(protoreflect.Descriptor)) {
	var messages func(protoreflect.MessageDescriptors)
	enums := func(list protoreflect.EnumDescriptors) {
		for i := range list.Len() {
			visit(list.Get(i))
			for j := range list.Get(i).Values().Len() {
				visit(list.Get(i).Values().Get(j))
			}
		}
	}
	messages = func(list protoreflect.MessageDescriptors) {
		for i := range list.Len() {
			m := list.Get(i)
			visit(m)
			for j := range m.Fields().Len() {
				visit(m.Fields().Get(j))
			}
			for j := range m.Oneofs().Len() {
				visit(m.Oneofs().Get(j))
			}
			enums(m.Enums())
			messages(m.Messages())
		}
	}
	messages(fd.Messages())
	enums(fd.Enums())
	for i := range fd.Services().Len() {
		visit(fd.Services().Get(i))
		for j := range fd.Services().Get(i).Methods().Len() {
			visit(fd.Services().Get(i).Methods().Get(j))
		}
	}
}

// Each comment is found again in a binary that has lost it, and nothing else is.
func TestCommentsComeBack(t *testing.T) {
	with, source := notes(t, true)
	without, _ := notes(t, false)
	declarations(without, func(d protoreflect.Descriptor) {
		if got := protocomment.Of(d); got != "" {
			t.Errorf("%s has %q before there is anything", d.FullName(), got)
		}
	})
	comments, found := protocomment.Extract(source)
	if !found {
		t.Fatal("there are no comments")
	}
	built, err := protodesc.NewFile(comments, nil)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(built)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := map[protoreflect.FullName]string{}
	declarations(with, func(d protoreflect.Descriptor) { want[d.FullName()] = protocomment.Of(d) })
	seen := 0
	declarations(without, func(d protoreflect.Descriptor) {
		if got := protocomment.Of(d); got != want[d.FullName()] {
			t.Errorf("%s has %q, want %q", d.FullName(), got, want[d.FullName()])
		} else if got != "" {
			seen++
		}
	})
	if seen < 10 || seen != len(comments.GetSourceCodeInfo().GetLocation()) {
		t.Errorf("%d comments came back, of %d", seen, len(comments.GetSourceCodeInfo().GetLocation()))
	}
}

// What is internal, or for a tool, does not get into the binary.
func TestWhatIsNotForReaders(t *testing.T) {
	location := func(text, trailing string, path ...int32) *descriptorpb.SourceCodeInfo_Location {
		return &descriptorpb.SourceCodeInfo_Location{Path: path, Span: []int32{0, 0, 0}, LeadingComments: &text, TrailingComments: &trailing}
	}
	for name, test := range map[string]struct {
		leading, trailing string
		path              []int32
		want              string
	}{
		"a comment":                 {" Says\n   more.\n", "", []int32{4, 0}, "Says\nmore."},
		"behind":                    {"", " Behind.", []int32{4, 0, 2, 1}, "Behind."},
		"in front comes first":      {" Front.", " Behind.", []int32{4, 0, 2, 1}, "Front."},
		"internal":                  {" Open.\n (-- secret\n plan --)\n Open too.", "", []int32{4, 0}, "Open.\n\nOpen too."},
		"internal without an end":   {" Open. (-- secret", "", []int32{4, 0}, "Open."},
		"internal alone":            {"(-- secret --)", "", []int32{4, 0}, ""},
		"for a linter":              {" buf:lint:ignore ENUM\n", "", []int32{5, 0}, ""},
		"for a linter and a reader": {" Says.\n protolint:disable X", "", []int32{5, 0, 2, 3}, "Says."},
		"of an option":              {" Secret.", "", []int32{4, 0, 2, 1, 8, 50000}, ""},
		"of a method's option":      {" Secret.", "", []int32{6, 0, 2, 1, 4, 50000}, ""},
		"of the package":            {" License.", "", []int32{2}, ""},
		"of the syntax":             {" License.", "", []int32{12}, ""},
		"of an import":              {" Why.", "", []int32{3, 0}, ""},
		"of nested declarations":    {" Deep.", "", []int32{4, 0, 3, 1, 3, 0, 4, 0, 2, 0}, "Deep."},
		"of a oneof":                {" One.", "", []int32{4, 0, 8, 0}, "One."},
		"of a name":                 {" Name.", "", []int32{4, 0, 1}, ""},
	} {
		comments, found := protocomment.Extract(&descriptorpb.FileDescriptorProto{
			Name:           proto.String("x.proto"),
			SourceCodeInfo: &descriptorpb.SourceCodeInfo{Location: []*descriptorpb.SourceCodeInfo_Location{location(test.leading, test.trailing, test.path...)}},
		})
		var got []string
		for _, l := range comments.GetSourceCodeInfo().GetLocation() {
			got = append(got, l.GetLeadingComments())
		}
		if strings.Join(got, "|") != test.want || found != (test.want != "") {
			t.Errorf("%s: got %q, %v; want %q", name, got, found, test.want)
		}
	}
}

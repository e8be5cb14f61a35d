package inbound

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Errors about a request that cannot be decoded quote the request, including secret fields, and
// their receivers log answers. These rules locate the mistake, by names of the contract and by its
// place, and quote nothing. They are those of the gateway for path and query, of its field masks,
// and of protojson, each from the beginning of the error on.
var unreadableRules = []struct {
	error *regexp.Regexp
	text  string // with the name that the error has
}{
	{rule(`type mismatch, parameter: NAME,`), ofNoType},
	{rule(`could not parse path as enum value, parameter: NAME,`), ofNoType},
	{rule(`parsing (?:field|list|map value) "NAME":`), ofNoType},
	{rule(`parsing map key "NAME":`), "a key of %s is none of its type"},
	{rule(`invalid value for \S+ field NAME:`), ofNoType},
	{rule(`the value of (NAME(?:\[\d+\])?(?:\.NAME(?:\[\d+\])?)*) is no name of its enum$`), "the value of %s is no name of its enum"},
	{rule(`duplicate field "NAME"`), "%s is given more than once"},
	{rule(`duplicate field "NAME(?:\[.*)?"`), "%s is given more than once"},
	{rule(`too many values for field "NAME":`), "%s is given more than once"},
	{rule(`(?s)more than one value provided for key .* in map "(?:[A-Za-z0-9_]+\.)*NAME"$`), "a key of %s is given more than once"},
	{rule(`field already set for oneof "NAME"`), ofOneof},
	{rule(`error parsing "[A-Za-z0-9_]+", oneof NAME is already set`), ofOneof},
	{rule(`invalid path: "NAME" is not a message`), "%s has no fields of its own"},
	{rule(`field "NAME" is not a map`), "%s is not a map"},
	{rule(`could not find field "NAME" in "`), "there is no field %s"},
	{rule(`invalid URL escape `), "a percent sign in the query must be followed by two hexadecimal digits"},
	{rule(`invalid semicolon separator in query`), "parameters of the query must be separated by &, not by a semicolon"},
	{rule(`number of URL query parameters exceeded limit`), "the query has too many parameters"},
	{rule(`the value is no name of its enum$`), "the value is no name of its enum"},
	{requiredField, "the required field %s is not set"},
}

const (
	ofNoType = "the value of %s is none of its type"
	ofOneof  = "at most one of %s may be given"
)

func rule(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(pattern, "NAME", `([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)`))
}

var (
	requiredField   = regexp.MustCompile(`^required field (?:[A-Za-z0-9_]+\.)*([A-Za-z0-9_]+) not set$`)
	unreadablePlace = regexp.MustCompile(`^(?:syntax error )?\(line (\d+:\d+)\): `)
)

const cannotBeRead = "the request cannot be read"

// unreadableText returns the text for the caller of a request that cannot be decoded for an error.
// number is that of the message in a stream, 0 for none. input is the method's; it may be nil.
func unreadableText(err string, number int, input protoreflect.MessageDescriptor) string {
	text := cannotBeRead
	if number > 0 {
		text += " at message " + strconv.Itoa(number)
	}
	if rest, ok := strings.CutPrefix(err, "proto:"); ok {
		err = strings.TrimLeft(rest, " \u00a0") // protojson has one of the two
	}
	if at := unreadablePlace.FindStringSubmatch(err); at != nil {
		text, err = text+" at line "+at[1], err[len(at[0]):]
	}
	for _, r := range unreadableRules {
		found := r.error.FindStringSubmatch(err)
		if found == nil {
			continue
		}
		if r.text == ofOneof {
			found[1] = fieldsOf(found[1], input)
		}
		if len(found) > 1 {
			return text + ": " + fmt.Sprintf(r.text, found[1])
		}
		return text + ": " + r.text
	}
	return text
}

// fieldsOf returns the names of the fields of a oneof, as JSON does not have its name. Of the
// gateway it is the short one, of a message in input.
func fieldsOf(oneof string, input protoreflect.MessageDescriptor) string {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(oneof))
	descriptor, ok := found.(protoreflect.OneofDescriptor)
	if err != nil || !ok {
		if descriptor = oneofIn(input, protoreflect.Name(oneof), map[protoreflect.FullName]bool{}); descriptor == nil {
			return "the fields of " + oneof
		}
	}
	var names []string
	for i := range descriptor.Fields().Len() {
		names = append(names, string(descriptor.Fields().Get(i).Name()))
	}
	return strings.Join(names, ", ")
}

// oneofIn finds a oneof by its name, nil for none.
func oneofIn(message protoreflect.MessageDescriptor, name protoreflect.Name, seen map[protoreflect.FullName]bool) protoreflect.OneofDescriptor {
	if message == nil || seen[message.FullName()] {
		return nil
	}
	seen[message.FullName()] = true
	if found := message.Oneofs().ByName(name); found != nil {
		return found
	}
	for i := range message.Fields().Len() {
		if found := oneofIn(message.Fields().Get(i).Message(), name, seen); found != nil {
			return found
		}
	}
	return nil
}

// inputOf returns the descriptor of a method's request, nil if it is not linked or m is nil.
func inputOf(m *Method) protoreflect.MessageDescriptor {
	if m == nil {
		return nil
	}
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(m.Name, "/", ".")))
	method, ok := found.(protoreflect.MethodDescriptor)
	if err != nil || !ok {
		return nil
	}
	return method.Input()
}

// unreadable returns the answer to a request of m, which may be nil, that made no call because it
// could not be decoded.
func unreadable(st *status.Status, m *Method) *status.Status {
	if st.Code() != codes.InvalidArgument || len(st.Details()) > 0 || strings.HasPrefix(st.Message(), cannotBeRead) {
		return st
	}
	return status.New(codes.InvalidArgument, unreadableText(st.Message(), 0, inputOf(m)))
}

// complete fails if a required field of a request is not set. gRPC finds that when it decodes a
// message, while path, query and body of a REST request are parts of one.
func complete(request proto.Message) error {
	if err := proto.CheckInitialized(request); err != nil {
		return status.Error(codes.InvalidArgument, unreadableText(err.Error(), 0, nil))
	}
	return nil
}

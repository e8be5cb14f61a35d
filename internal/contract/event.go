package contract

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// Events are the fields of a server stream that (paddock.v1.event_id) ties to the ids of
// server-sent events. Nil fields are not declared.
type Events struct {
	ID    protoreflect.FieldDescriptor // of an answer: the id of its event
	After protoreflect.FieldDescriptor // of the request: gets the client's Last-Event-ID
	Raw   bool                         // the answers are google.api.HttpBody, which no event can hold
}

// events returns the fields of a method. Both sides are checked for a stream of the server only:
// elsewhere there are no events.
func (c *compiler) events(method string, serverStreams bool) (e Events) {
	if c.service == nil || !serverStreams {
		return Events{}
	}
	m := c.service.Methods().ByName(protoreflect.Name(method))
	if m == nil {
		return Events{}
	}
	e.Raw = m.Output().FullName() == "google.api.HttpBody"
	var errs [2]error
	e.ID, errs[0] = eventID(m.Output())
	e.After, errs[1] = eventID(m.Input())
	for _, err := range errs {
		if err != nil {
			c.report(err)
		}
	}
	return e
}

// eventID returns the field of a message that the option marks, nil for none.
func eventID(md protoreflect.MessageDescriptor) (found protoreflect.FieldDescriptor, err error) {
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if marked, _ := proto.GetExtension(fd.Options(), paddockv1.E_EventId).(bool); !marked {
			continue
		}
		place := fmt.Sprintf("%s: %s: option (paddock.v1.event_id)", fd.ParentFile().Path(), fd.FullName())
		switch {
		case found != nil:
			return nil, fmt.Errorf("%s is set on %s too: an event has one id, so remove one of them", place, found.Name())
		case !canBeID(fd):
			return nil, fmt.Errorf("%s is for a string or an integer that is not repeated, and this field is %s %s",
				place, fd.Cardinality(), fd.Kind())
		}
		found = fd
	}
	return found, nil
}

func canBeID(fd protoreflect.FieldDescriptor) bool {
	if fd.IsList() || fd.IsMap() {
		return false
	}
	switch fd.Kind() {
	case protoreflect.BoolKind, protoreflect.EnumKind, protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.BytesKind,
		protoreflect.MessageKind, protoreflect.GroupKind:
		return false
	default:
		return true
	}
}

package telemetry

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// To OpenMetrics a counter x_total is the family x. A gauge x beside it makes the whole answer
// malformed, and client_golang's own Go collector has such a pair: go_memstats_alloc_bytes. The
// counter is then told as of unknown type, in every format. Its name and value, which is what
// queries have, stay.

// distinctFamilies is a prometheus.Gatherer of families that OpenMetrics can tell apart. Its type
// parameter is client_model's, which the module does not require by itself.
type distinctFamilies[F family] struct{ gather func() ([]F, error) }

type family interface {
	proto.Message
	GetName() string
}

func distinctFor[F family](gather func() ([]F, error)) distinctFamilies[F] {
	return distinctFamilies[F]{gather}
}

// Gather gathers, and changes what it got, which is of this call alone.
func (d distinctFamilies[F]) Gather() ([]F, error) {
	families, err := d.gather()
	names := make(map[string]bool, len(families))
	for _, f := range families {
		names[f.GetName()] = true
	}
	for _, f := range families {
		if base, ok := strings.CutSuffix(f.GetName(), "_total"); ok && names[base] {
			untype(f.ProtoReflect())
		}
	}
	return families, err
}

const (
	counterType = 0
	untypedType = 3
)

// untype makes counters of a family values without a type.
func untype(f protoreflect.Message) {
	fields := f.Descriptor().Fields()
	kind, metrics := fields.ByName("type"), fields.ByName("metric")
	if f.Get(kind).Enum() != counterType {
		return
	}
	f.Set(kind, protoreflect.ValueOfEnum(untypedType))
	all := f.Mutable(metrics).List()
	for i := range all.Len() {
		m := all.Get(i).Message()
		counter, untyped := m.Descriptor().Fields().ByName("counter"), m.Descriptor().Fields().ByName("untyped")
		from, to := m.Get(counter).Message(), m.Mutable(untyped).Message()
		to.Set(to.Descriptor().Fields().ByName("value"), from.Get(from.Descriptor().Fields().ByName("value")))
		m.Clear(counter)
	}
}

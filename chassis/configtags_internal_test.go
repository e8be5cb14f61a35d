package chassis

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/inbound"
)

// The tags allow the values that the code handles, and no others.
func TestTagsNameTheValuesThatTheCodeKnows(t *testing.T) {
	want := map[string][]string{
		"Environment":   {development, production},
		"MTLS":          {mtlsAuto, mtlsSPIFFE, mtlsFiles, development, mtlsOff},
		"Authorization": {authorizationEnforce, authorizationAudit},
		"LogFormat":     {"auto", "json", "text"},
		"TraceTrust":    {traceDomain, traceAnyone},
		"LogRequests":   {string(inbound.LogAll), string(inbound.LogFailed), string(inbound.LogNone)},
		"AuditLog":      {string(audit.Off), string(audit.Denied), string(audit.All)},
		"AuditLogMode":  {auditDrop, auditRefuse},
		"Admission":     {admissionOn, admissionOff, admissionReport},
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if got := strings.Fields(field.Tag.Get("oneof")); !slices.Equal(got, want[field.Name]) {
			t.Errorf("%s: the tag names %q, the code knows %q", field.Name, got, want[field.Name])
		}
		number := field.Type.Kind() == reflect.Int || field.Type.Kind() == reflect.Int64
		if number && field.Name != "LogLevel" && field.Tag.Get("min") == "" {
			t.Errorf("%s has no tag min: may it be negative?", field.Name)
		}
		delete(want, field.Name)
	}
	if len(want) > 0 {
		t.Errorf("fields that are not there: %v", want)
	}
}

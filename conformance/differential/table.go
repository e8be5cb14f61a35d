package differential

import (
	"fmt"
	"slices"
	"strings"
)

func get(target string) request        { return request{method: "GET", target: target} }
func post(target, body string) request { return request{method: "POST", target: target, body: body} }

func do(method, target, body string) request {
	return request{method: method, target: target, body: body}
}

// table is the requests that were written by hand, each for a reason: they are sent in CI too.
func table() []request {
	return slices.Concat(
		scalarRequests(), messageRequests(), bodyRequests(), queryRequests(), partRequests(), updateRequests(),
		routeRequests(), escapeRequests(), errorRequests(), metadataRequests(), streamRequests(), bytesRequests(), headerRequests(),
	)
}

// scalarRequests have every type in a path, in a query and in a body, with values of it, at its
// limits, and others.
func scalarRequests() []request {
	values := map[string][]string{
		"int32":       {"0", "-1", "2147483647", "-2147483648", "2147483648", "1.0", "1e3", "0x1f", "010", "+1", "x", "%201", "1_000"},
		"int64":       {"9223372036854775807", "-9223372036854775808", "9223372036854775808", "1.5"},
		"uint32":      {"4294967295", "4294967296", "-1", "-0"},
		"uint64":      {"18446744073709551615", "18446744073709551616"},
		"sint32":      {"-5"},
		"sint64":      {"-5"},
		"fixed32":     {"7", "-7"},
		"fixed64":     {"7"},
		"sfixed32":    {"-7"},
		"sfixed64":    {"-7"},
		"double":      {"1.5", "-0", "1e308", "1e309", "NaN", "Infinity", "-Infinity", "inf", "0x1p4", ".5", "5."},
		"float":       {"1.5", "3.5e38", "NaN"},
		"bool":        {"true", "false", "1", "0", "T", "TRUE", "yes"},
		"bytes":       {"YWJj", "YWI=", "YWI", "-_-_", "%2B%2F%2B%2F", "*", "YW%0AJj"},
		"enum":        {"COLOR_RED", "1", "0", "99", "-1", "color_red", "RED", "COLOR_BLUE"},
		"nestedEnum":  {"MOOD_GOOD", "2", "MOOD_UGLY"},
		"optional":    {"x", "%20"},
		"oneof":       {"x"},
		"texts":       {"a", "a,b", "a,,b", ",", "a%2Cb"},
		"numbers":     {"1", "1,2,3", "1,x", "1,"},
		"enums":       {"COLOR_RED,COLOR_GREEN", "1,2", "COLOR_BLUE", "1,7"},
		"timestamp":   {"2026-11-28T12:00:00Z", "2026-11-28T12:00:00.123456789%2B02:00", "2026-11-28", "0001-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "null"},
		"duration":    {"1.5s", "-3s", "1m", "5", "315576000001s"},
		"stringValue": {"x", "null", "%22x%22"},
		"int64Value":  {"7", "x", "null"},
		"boolValue":   {"true", "x", "null"},
	}
	var requests []request
	for _, kind := range slices.Sorted(mapsKeys(values)) {
		for _, value := range values[kind] {
			requests = append(requests, get("/v1/path/"+kind+"/"+value))
			if field, ok := scalarField(kind); ok {
				requests = append(requests, get("/v1/everything?"+field+"="+value))
				plain := strings.NewReplacer("%20", " ", "%2B", "+", "%2F", "/", "%0A", "\n").Replace(value)
				requests = append(requests, post("/v1/everything", fmt.Sprintf(`{%q:%q}`, field, plain)))
				if !strings.ContainsAny(plain, "\n*") {
					requests = append(requests, post("/v1/everything", fmt.Sprintf(`{%q:%s}`, field, plain)))
				}
			}
		}
	}
	return append(requests,
		get("/v1/path/1.5/2.5/3/4/5/6/true/COLOR_RED/text"),
		get("/v1/path/1.5/2.5/3/4/5/6/true/COLOR_RED/"),
		get("/v1/path/1.5/2.5/3/4/5/6/maybe/COLOR_RED/text"),
		get("/v1/path/int32/"),
		get("/v1/path/texts/"),
	)
}

func mapsKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

// scalarField is the field of Everything that has the type.
func scalarField(kind string) (string, bool) {
	switch kind {
	case "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64", "double", "float", "bool", "bytes", "enum":
		return "f_" + kind, true
	case "timestamp", "duration":
		return "w_" + kind, true
	default:
		return "", false
	}
}

// messageRequests have every shape of field in a body, as JSON may write it.
func messageRequests() []request {
	bodies := []string{
		`{}`,
		`{"text":"a","fDouble":1.5,"fFloat":0.25,"fInt32":-1,"fInt64":"-9007199254740993","fUint32":1,"fUint64":"18446744073709551615","fBool":true,"fBytes":"AQID","fEnum":"COLOR_RED"}`,
		`{"f_double":1.5,"f_int64":9007199254740993,"f_enum":2,"f_bytes":"_-8"}`,
		`{"fDouble":"NaN","fFloat":"-Infinity"}`,
		`{"fDouble":"Infinity","f_float":1e39}`,
		`{"fInt32":1e2,"fInt64":1e2,"fUint32":1.0}`,
		`{"fInt32":1.5}`,
		`{"fBool":"true"}`,
		`{"fBool":1}`,
		`{"text":1}`,
		`{"text":null,"fInt32":null,"child":null,"texts":null,"labels":null,"choiceText":null}`,
		`{"text":"\ud83d\ude00 \u00e9 \n \\ \/"}`,
		`{"text":"\ud83d"}`,
		`{"text":"\u0000"}`,
		`{"text":"` + "\xff" + `"}`,
		`{"text":"` + strings.Repeat("long ", 4000) + `"}`,
		`{"child":{"name":"n","size":1,"mood":"MOOD_BAD","child":{"name":"m","tags":["x"]},"labels":{"a":"b"}}}`,
		`{"child":{}}`, `{"child":[]}`, `{"child":"x"}`,
		`{"children":[{"name":"a"},{},{"name":"b"}]}`, `{"children":[null]}`, `{"children":{}}`,
		`{"texts":["a","","b"],"numbers":[1,"2",3],"enums":["COLOR_RED",2,99],"blobs":["AQ==",""],"doubles":[1,"NaN"],"bigs":["1",2],"flags":[true,false]}`,
		`{"texts":[null]}`, `{"texts":"a"}`, `{"enums":["COLOR_BLUE","COLOR_RED"]}`, `{"fEnum":"COLOR_BLUE"}`, `{"fEnum":"1"}`, `{"fEnum":-5}`, `{"fEnum":1.5}`, `{"fEnum":true}`,
		`{"child":{"mood":"MOOD_UGLY"}}`, `{"optEnum":"COLOR_BLUE"}`, `{"choiceEnum":"COLOR_BLUE"}`, `{"colors":{"a":"COLOR_BLUE"}}`,
		`{"timestamps":["2026-11-28T00:00:00Z"],"wrapped":["a",null]}`, `{"wrapped":["a",""]}`,
		`{"labels":{"a":"b","":"c"},"byNumber":{"1":"a","-2":"b"},"byFlag":{"true":"t"},"byBig":{"18446744073709551615":1.5},"byName":{"x":{"name":"y"}},"colors":{"r":"COLOR_RED"},"values":{"n":null,"o":{"a":[1]}}}`,
		`{"labels":{"a":null}}`, `{"byNumber":{"x":"a"}}`, `{"byFlag":{"1":"a"}}`, `{"labels":{"a":"1","a":"2"}}`, `{"labels":[]}`,
		`{"optText":"","optNumber":0,"optFlag":false,"optEnum":"COLOR_UNSPECIFIED","optChild":{}}`,
		`{"choiceText":"a"}`, `{"choiceNumber":"7"}`, `{"choiceChild":{}}`, `{"choiceNothing":{}}`, `{"choiceNull":null}`, `{"choiceBytes":""}`, `{"choiceText":"a","choiceNumber":"7"}`, `{"choiceText":"a","choice_text":"b"}`,
		`{"wDouble":1.5,"wFloat":2.5,"wInt32":-1,"wInt64":"-2","wUint32":3,"wUint64":"4","wBool":true,"wString":"s","wBytes":"AQ=="}`,
		`{"wDouble":0,"wInt64":"0","wBool":false,"wString":"","wBytes":""}`, `{"wInt64":null,"wString":null}`, `{"wString":{"value":"a"}}`, `{"wInt64":{}}`,
		`{"wTimestamp":"2026-11-28T12:00:00.5+02:00","wDuration":"-1.000000001s","wMask":"text,child.name"}`,
		`{"wTimestamp":"yesterday"}`, `{"wTimestamp":1}`, `{"wTimestamp":"9999-12-31T23:59:59.999999999Z"}`, `{"wTimestamp":"10000-01-01T00:00:00Z"}`, `{"wTimestamp":"2026-02-30T00:00:00Z"}`,
		`{"wDuration":"1"}`, `{"wDuration":"1.0000000001s"}`, `{"wDuration":"315576000001s"}`, `{"wMask":"fInt32,,x"}`, `{"wMask":"snake_case"}`, `{"wMask":""}`,
		`{"wStruct":{"a":null,"b":[1,"x",{"c":true}],"d":1e400}}`, `{"wStruct":{"a":1.0,"b":{"":""}}}`, `{"wStruct":[]}`, `{"wStruct":null}`,
		`{"wValue":null}`, `{"wValue":[1]}`, `{"wValue":"NaN"}`, `{"wValue":1e400}`, `{"wList":[]}`, `{"wList":[null,[[]]]}`, `{"wList":{}}`, `{"wEmpty":{}}`, `{"wEmpty":{"x":1}}`, `{"wEmpty":1}`, `{"wNull":null}`, `{"wNull":"NULL_VALUE"}`, `{"wNull":0}`,
		`{"wAny":{"@type":"type.googleapis.com/shapes.v1.Child","name":"a"}}`, `{"wAny":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}}`,
		`{"wAny":{"@type":"type.googleapis.com/google.protobuf.Any","value":{"@type":"type.googleapis.com/shapes.v1.Child","name":"a"}}}`,
		`{"wAny":{"@type":"type.googleapis.com/no.such.Type"}}`, `{"wAny":{"@type":"shapes.v1.Child"}}`, `{"wAny":{"name":"a"}}`, `{"wAny":{}}`, `{"wAny":{"@type":"type.googleapis.com/shapes.v1.Child","nosuch":1}}`,
		`{"otherName":"a"}`, `{"renamed":"a"}`, `{"snakeCase1Name":"a","CamelCase":"b"}`, `{"snake_case_1_name":"a","camelCase":"b"}`,
		`{"otherName":"a","renamed":"b"}`, `{"text":"a","text":"b"}`, `{"fInt32":1,"f_int32":2}`,
		`{"unknown":1}`, `{"unknown":{"a":[1,{}]},"text":"a"}`, `{"child":{"unknown":1}}`, `{"@type":"x"}`, `{"Text":"a"}`, `{"TEXT":"a"}`,
		`{"self":` + strings.Repeat(`{"self":`, 20) + `{}` + strings.Repeat(`}`, 20) + `}`,
		strings.Repeat(`{"self":`, 10100) + `{}` + strings.Repeat(`}`, 10100),
	}
	requests := make([]request, 0, 2*len(bodies))
	for _, body := range bodies {
		requests = append(requests, post("/v1/everything", body), post("/v1/everything", body).inChunks())
	}
	return append(requests,
		post("/v1/legacy", `{"key":"a"}`), post("/v1/legacy", `{}`), post("/v1/legacy", ``), post("/v1/legacy", `{"key":"a","grade":"GRADE_COARSE","packed":["1",2]}`),
		post("/v1/legacy", `{"key":"a","grade":9}`), post("/v1/legacy", `{"key":"a","grade":"GRADE_NONE"}`), post("/v1/legacy", `{"key":"a","size":null}`),
		post("/v1/legacy", `{}`).inChunks(), get("/v1/legacy"), get("/v1/legacy?size=1"), get("/v1/legacy?key="), get("/v1/legacy/a?grade=GRADE_COARSE"), get("/v1/legacy/a?grade=9"),
		get("/v1/nothing"), get("/v1/nothing?x=1"), post("/v1/nothing", `{}`), post("/v1/nothing", `{"x":1}`), post("/v1/nothing", ``), do("DELETE", "/v1/nothing", ``), do("DELETE", "/v1/nothing", `{"x":1}`),
		post("/v1/text", `"a"`), post("/v1/text", `null`), post("/v1/text", `{"value":"a"}`), post("/v1/text", ``), get("/v1/text?value=a"), get("/v1/text"),
		post("/v1/document", `{"a":[1,null,{"b":"c"}]}`), post("/v1/document", `[]`), post("/v1/document", ``), post("/v1/document", `{"a":1,"a":2}`),
		post("/v1/anything", `1`), post("/v1/anything", `null`), post("/v1/anything", `[1,"a"]`), post("/v1/anything", `"x"`), post("/v1/anything", ``), post("/v1/anything", `tru`), post("/v1/anything", `1 2`),
		get("/v1/unwritable/utf8"), get("/v1/unwritable/any"), get("/v1/unwritable/timestamp"), get("/v1/unwritable/duration"), get("/v1/unwritable/nan"), get("/v1/unwritable/mask"), get("/v1/unwritable/nothing"),
	)
}

// bodyRequests have bodies that are not one JSON value, with and without a length.
func bodyRequests() []request {
	var requests []request
	for _, body := range []string{
		``, ` `, "\n\t ", `x`, `{`, `{"text":"a"`, `{"text":"a"}x`, `{"text":"a"} {"text":"b"}`, "{\"text\":\"a\"}\n", ` {"text":"a"} `,
		`null`, `[]`, `"a"`, `1`, `true`, `[{"text":"a"}]`, `{"text":"a",}`, `{text:"a"}`, `{'text':'a'}`, "\ufeff{}", `{"text":"a"}` + "\x00", "{\"text\":\"a\nb\"}",
		`// comment` + "\n{}", `{"fInt32":01}`, `{"fInt32":+1}`, `{"fInt32":.5}`, `{"fInt32":0x10}`, `{"fDouble":NaN}`, "text=a", `<xml/>`, `{}{}`, `{}]`, `{}.`, `{}...`, "\xff\xfe", `{"":1}`, `{"text"}`, `{"text":}`,
	} {
		requests = append(requests, post("/v1/everything", body), post("/v1/everything", body).inChunks())
	}
	for _, target := range []string{
		"/v1/replace/texts", "/v1/replace/children", "/v1/replace/labels", "/v1/replace/text", "/v1/replace/number", "/v1/replace/enum",
		"/v1/replace/bytes", "/v1/replace/wrapped", "/v1/replace/timestamp", "/v1/replace/struct", "/v1/replace/any",
	} {
		for _, body := range []string{
			``, ` `, `null`, `{}`, `[]`, `["a","b"]`, `[{"name":"a"}]`, `{"a":"b"}`, `"text"`, `7`, `"7"`, `"COLOR_RED"`, `2`, `"COLOR_BLUE"`, `99`, `"YWJj"`, `"2026-11-28T00:00:00Z"`,
			`{"@type":"type.googleapis.com/shapes.v1.Child","name":"a"}`, `{"name":"a"}x`, `"a""b"`, `[1]`, `x`,
		} {
			requests = append(requests, post(target+"?opt_text=q", body))
		}
		requests = append(requests, post(target, `7`).inChunks(), post(target, ``).inChunks(), post(target, `"a" `).inChunks())
	}
	return append(requests,
		do("PUT", "/v1/replace/x?f_int32=7&opt_text=a", `{"name":"n","mood":"MOOD_GOOD"}`),
		do("PUT", "/v1/replace/x?child.name=q", `{"name":"n"}`),
		do("PUT", "/v1/replace/x?child.size=2", `{"name":"n"}`),
		do("PUT", "/v1/replace/x", ``), do("PUT", "/v1/replace/x", `{"nosuch":1}`), do("PUT", "/v1/replace/x?text=other", `{}`),
		do("PUT", "/v1/everything/x", `{"text":"y","fInt32":1}`), do("PUT", "/v1/everything/x?f_int32=7", `{}`), do("PATCH", "/v1/everything/x", `{"fInt32":1}`),
		do("PUT", "/v1/everything/x", ``), do("DELETE", "/v1/everything/x?f_int32=7", ``), do("DELETE", "/v1/everything/x", `{"fInt32":1}`),
		do("GET", "/v1/everything/x", `{"fInt32":1}`),
	)
}

// queryRequests have fields in the query: nested, repeated, of maps, unknown, twice, and escaped.
func queryRequests() []request {
	queries := []string{
		"", "text=a", "text=", "text", "text=a&text=b", "text=a%20b+c", "text=%C3%A9", "text=%ff", "text=%", "text=%zz", "text=a;b=c", "text=a%00b", "text=a%26b", "=a", "&&text=a&", "text==a",
		"texts=a&texts=b", "texts=a,b", "texts[]=a", "texts[0]=a", "numbers=1&numbers=2", "numbers=1,2", "numbers=x", "enums=COLOR_RED&enums=2", "enums=COLOR_BLUE", "enums=99", "blobs=YWJj&blobs=", "doubles=1.5&doubles=NaN", "flags=true&flags=x", "bigs=1&bigs=-1",
		"timestamps=2026-11-28T00:00:00Z", "wrapped=a&wrapped=b",
		"child.name=a", "child.name=a&child.size=2", "child.child.child.name=deep", "child.mood=MOOD_GOOD", "child.mood=MOOD_UGLY", "child.tags=a&child.tags=b", "child=a", "child={}", "children=a", "children.name=a", "child.", "child..name=a", "child.name.x=a", "child.nosuch=a", "child[name]=a",
		"labels[a]=b", "labels[a]=b&labels[c]=d", "labels[a]=b&labels[a]=c", "labels.a=b", "labels=a", "labels[]=b", "labels[a", "by_number[1]=a", "by_number[x]=a", "by_flag[true]=a", "by_big[7]=1.5", "colors[a]=COLOR_RED", "colors[a]=COLOR_BLUE", "by_name[a]=b", "values[a]=b", "byNumber[1]=a",
		"opt_text=", "opt_text=a", "opt_number=0", "opt_flag=false", "opt_enum=COLOR_RED", "opt_child.name=a", "optText=a",
		"choice_text=a", "choice_number=7", "choice_text=a&choice_number=7", "choice_text=a&choice_text=b", "choice_child.name=a", "choice_child.name=a&choice_child.size=2", "choice_text=a&choice_child.name=b", "choice_enum=COLOR_RED", "choice_nothing=", "choice_null=NULL_VALUE", "choice_bytes=YQ==", "choice=a",
		"w_double=1.5", "w_float=1.5", "w_int32=1", "w_int64=1", "w_uint32=1", "w_uint64=1", "w_bool=true", "w_string=a", "w_bytes=YQ==", "w_int32=x", "w_int32.value=1", "w_string=", "w_bool=",
		"w_timestamp=2026-11-28T00:00:00Z", "w_timestamp=x", "w_timestamp.seconds=1", "w_duration=1.5s", "w_duration=x", "w_duration.seconds=1", "w_mask=text,child.name", "w_mask=fInt32", "w_mask.paths=text", "w_struct={}", "w_struct=%7B%22a%22:1%7D", "w_struct.fields[a]=b", "w_value=1", "w_value=a", "w_list=a", "w_any=a", "w_any.type_url=a", "w_empty=", "w_null=NULL_VALUE", "w_null=0",
		"renamed=a", "otherName=a", "snake_case_1_name=a", "snakeCase1Name=a", "CamelCase=a", "camelCase=a", "f_int32=1&f_int32=2", "fInt32=1", "F_INT32=1", "nosuch=a", "nosuch=a&text=b", "nosuch.name=a", "self.text=a", "self.self.text=a", "self.labels[a]=b",
		"text=" + strings.Repeat("a", 3000),
		strings.Repeat("texts=a&", 500),
		"self." + strings.Repeat("self.", 200) + "text=a",
	}
	requests := make([]request, 0, len(queries))
	for _, query := range queries {
		requests = append(requests, get("/v1/everything?"+query))
	}
	return append(requests,
		get("/v1/everything?nosuch=%ff"), get("/v1/rest/%ff"), get("/v1/legacy/%ff"), get("/v1?=%ff"), get("/v1/act?metadata=true").with("Accept", "*/*"),
		get("/v1/everything/x?text=y"), get("/v1/everything/nested/a/1?child.name=b"), get("/v1/everything/nested/a/1?child.mood=MOOD_BAD"), get("/v1/everything/nested/a/x"),
		get("/v1/everything/x?"), get("/v1/everything/x?f_int32=x&f_int64=y"), get("/v1/everything?f_int32=&f_bool=&f_enum=&f_double="),
		post("/v1/everything?text=q", `{}`), post("/v1/everything?nosuch=q", `{"text":"a"}`),
	)
}

// partRequests are answered with a part of the message, with and without a value.
func partRequests() []request {
	full := `{"text":"a","fInt64":"7","fDouble":1.5,"fBool":true,"fBytes":"YQ==","fEnum":"COLOR_RED","child":{"name":"n"},"children":[{"name":"a"},{}],"texts":["a"],"numbers":[1],"enums":["COLOR_RED",7],` +
		`"labels":{"a":"b"},"byNumber":{"1":"a"},"wString":"w","wTimestamp":"2026-11-28T00:00:00Z","timestamps":["2026-11-28T00:00:00Z"],"wValue":[1],"wStruct":{"a":1},"wAny":{"@type":"type.googleapis.com/shapes.v1.Child","name":"a"}}`
	var requests []request
	for _, part := range []string{
		"child", "text", "number", "double", "bool", "bytes", "enum", "texts", "numbers", "enums", "children", "labels", "byNumber", "wrapped", "timestamp", "timestamps", "value", "struct", "any",
	} {
		requests = append(requests, post("/v1/part/"+part, full), post("/v1/part/"+part, `{}`))
	}
	return append(requests,
		post("/v1/part/double", `{"fDouble":"NaN"}`), post("/v1/part/enum", `{"fEnum":9}`), post("/v1/part/texts", `{"texts":[""]}`), post("/v1/part/value", `{"wValue":null}`), post("/v1/part/text", `{"text":"\"<>&\u2028"}`))
}

// updateRequests have field masks, given and made from the body of a PATCH.
func updateRequests() []request {
	var requests []request
	for _, body := range []string{
		``, `{}`, `{"text":"b"}`, `{"fInt32":1,"child":{"name":"a","child":{"size":1}}}`, `{"texts":["a"],"labels":{"a":"b"}}`, `{"child":{}}`, `{"child":null}`, `{"children":[{"name":"a"}]}`,
		`{"wString":"a","wTimestamp":"2026-11-28T00:00:00Z","wStruct":{"a":1},"wAny":{"@type":"type.googleapis.com/shapes.v1.Child","name":"a"}}`, `{"choiceText":"a"}`, `{"optText":null}`,
		`{"otherName":"a","snake_case_1_name":"b"}`, `{"nosuch":1}`, `{"nosuch":{"a":1},"text":"a"}`, `{"child":{"nosuch":1}}`, `x`, `[]`, `null`, `{"values":{"a":{"b":1}}}`, `{"self":{"self":{"text":"a"}}}`, `{"text":"a"}x`,
	} {
		requests = append(requests, do("PATCH", "/v1/update/x", body), do("PATCH", "/v1/update/x", body).inChunks(), do("PUT", "/v1/update/x", body))
	}
	return append(requests,
		do("PATCH", "/v1/update/x", `{"fInt32":1}`).with("Content-Type", "text/plain"), do("PUT", "/v1/update/x", `{"fInt32":1}`).with("Content-Type", "text/plain"),
		do("PATCH", "/v1/update/x?update_mask=text", `{"fInt32":1}`), do("PATCH", "/v1/update/x?update_mask=nosuch", `{"fInt32":1}`), do("PATCH", "/v1/update/x?updateMask=fInt32,text", `{"fInt32":1}`),
		do("PATCH", "/v1/update/x?update_mask.paths=text", `{}`), do("PATCH", "/v1/update", `{"everything":{"text":"a"},"updateMask":"text"}`), do("PATCH", "/v1/update", `{"everything":{"text":"a"}}`),
	)
}

// routeRequests have every shape of template, and paths beside them.
func routeRequests() []request {
	var requests []request
	for _, target := range []string{
		"/v1/one/a", "/v1/one/", "/v1/one", "/v1/one//", "/v1/one/a/", "/v1/one/a/b", "/v1//one/a", "//v1/one/a", "/v1/one/a?other=b", "/v1/one/a?tags=x&tags=y", "/v1/two/a/and/b", "/v1/two/a/or/b", "/v1/star/a", "/v1/star/a/b", "/v1/any/x/a", "/v1/any//a",
		"/v1/deep/a/b", "/v1/deep/a", "/v1/shelves/1/books/2", "/v1/shelves/1/books", "/v1/shelves/1/books/2/3", "/v1/shelves//books/2", "/v1/files/a", "/v1/files/a/b/c", "/v1/files/", "/v1/files", "/v1/files//a", "/v1/trees/a/b", "/v1/trees", "/v1/trees/", "/v1/trees/a/leaves/b/c",
		"/v1/trees/a/leaves", "/v1/trees/a/leaves/", "/v1/projects/p/zones/z/o", "/v1/projects/p/zones/z", "/v1/rest/a/b", "/v1/rest", "/v1", "/v1/", "/", "", "/v2/one/a", "/V1/one/a", "/v1/One/a",
		"/v1/verbs:list", "/v1/verbs", "/v1/verbs:", "/v1/verbs:other", "/v1/one/a:show", "/v1/one/a:hide", "/v1/one/a:", "/v1/one/:show", "/v1/one/a:b:show", "/v1/one/a:show:show", "/v1/one/a:show/b", "/v1/one/a%3Ashow", "/v1/files/a/b:stat", "/v1/files/a:stat/b", "/v1/files/a:other", "/v1/shelves/1/books/2:lend", "/v1/shelves/1/books/2:keep",
		"/v1/shelves/1:x/books/2", "/v1/one/literal", "/v1/one/literal:show", "/v1/one/literals", "/v1/one/.", "/v1/one/..", "/v1/one/%2e%2e", "/v1/one/../one/a", "/v1/./one/a", "/v1/files/../one/a", "/v1/files/%2e%2e/a", "*",
		"/shapes.v1.RouteService/Unbound", "/v1/unbound", "/docs/x", "/favicon.ico", "/healthz", "/metrics",
	} {
		requests = append(requests, get(target))
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "REPORT", "get", "Get", "X-OWN"} {
		for _, target := range []string{"/v1/one/a", "/v1/one/a:archive", "/v1/one/a:purge", "/v1/verbs:list", "/v1/custom/a", "/v1/nowhere", "/v1/one/literal", "/v1/everything", "/v1/watch", "/v1/download"} {
			requests = append(requests, do(method, target, ""))
		}
	}
	return append(requests,
		get("/v1/custom/a"), do("REPORT", "/v1/custom/a", `{"other":"b"}`), post("/v1/one/a:archive", `{"other":"b"}`), post("/v1/one/a:archive", `{"name":"other"}`), post("/v1/one/literal", `{"name":"b"}`), post("/shapes.v1.RouteService/Unbound", `{}`),
		post("/v1/one/a", "").with("X-Http-Method-Override", "GET"), post("/v1/one/a?other=b", "").with("X-HTTP-Method-Override", "DELETE"), post("/v1/one/a", "other=b").with("Content-Type", "application/x-www-form-urlencoded"),
		post("/v1/everything", "text=b").with("Content-Type", "application/x-www-form-urlencoded"),
	)
}

// escapeRequests have reserved and other characters in variables of one segment and of many.
func escapeRequests() []request {
	var requests []request
	for _, value := range []string{
		"a%2Fb", "a%2fb", "%2F", "a%252Fb", "a%20b", "a+b", "a%2Bb", "a%3Ab", "a%3ashow", "a%3Fb", "a%23b", "a%25b", "a%26b", "a%3Db", "a%40b", "a%21%24%27%28%29%2A%2C%3B", "a!$'()*,;", "a%5Bb%5D", "a%7Bb%7D", "%E2%82%AC", "€", "%ff", "%C3%28", "%00", "%0A", "a%7C", "a~b", "a-b_c.d", "%41", "%", "a%", "a%2", "%zz", "%u20AC", "a;b=c", "a=b", "a@b", "a&b", "%22", "a%5Cb", "a\\b", "a|b", "a{b}", "a^b", "a`b", "a%7Eb", "a%2E",
	} {
		for _, prefix := range []string{"/v1/one/", "/v1/files/", "/v1/files/x/", "/v1/shelves/1/books/", "/v1/deep/x/"} {
			requests = append(requests, get(prefix+value))
		}
		requests = append(requests, get("/v1/one/"+value+":show"), get("/v1/one/x?other="+value))
	}
	return append(requests, get("/v1/path/bool/a%2Fb"), get("/v1/path/stringValue/%2F?w_mask={x}"))
}

// errorRequests fail with each code, with and without details, and with errors that are no status.
func errorRequests() []request {
	var requests []request
	for code := range 19 {
		requests = append(requests, get(fmt.Sprintf("/v1/act/%d?message=m%d", code, code)))
	}
	return append(requests,
		get("/v1/act/-1"), get("/v1/act/100"), get("/v1/act/5"), get("/v1/act?code=5&message=a%0Ab"), get("/v1/act?code=5&message=%C3%A9%22%3C"), get("/v1/act?code=13&message=secret"), get("/v1/act?code=2&message=secret"),
		get("/v1/act?code=5&message="+strings.Repeat("long", 200)), get("/v1/act?bare=true&message=secret"), get("/v1/act?code=16&message=who"), get("/v1/act?code=8&details=true&message=m"), get("/v1/act?code=3&details=true&message=m"), get("/v1/act?code=14&details=true&message=m"),
		get("/v1/act?code=8&details=true&message=m").with("Accept-Language", "de"), get("/v1/act?code=0&details=true"),
		get("/v1/watch?code=5&message=m"), get("/v1/watch?code=5&message=m&details=true"), get("/v1/watch?answers=1&code=5&message=m"), get("/v1/watch?answers=2&code=3&details=true&message=m"), get("/v1/watch?bare=true&message=secret"), get("/v1/watch?answers=1&bare=true&message=secret"), get("/v1/watch?answers=1&code=13&message=secret"),
		get("/v1/watch?send=true&code=5&message=m"), get("/v1/download?code=5&message=m"), get("/v1/downloads?code=5&message=m"), get("/v1/downloads?code=5&message=m&answers=1&text=a&content_type=text/plain"),
		post("/v1/collect", `{"code":10,"message":"m"}`), post("/v1/collect", `{"code":10,"message":"m","answers":1}`), post("/v1/collect", `{"bare":true}`), post("/v1/chat", `{"code":5,"message":"m"}`), post("/v1/chat", `{"answers":1,"code":5,"message":"m"}`), post("/v1/chat", `{"message":"a\nb","code":5}`),
		post("/v1/act", `{"code":5,"message":"m","header":{"a":"b"}}`), post("/v1/act", `{"code":5,"message":"m","header":{"a":"b"},"send":true}`), post("/v1/act", `{"code":5,"message":"m","trailer":{"a":"b"}}`), post("/v1/act", `{"code":5,"message":"m","trailer":{"a":"b"}}`).with("TE", "trailers"),
		post("/v1/watch", `{"code":5,"message":"m","header":{"a":"b"},"trailer":{"a":"b"}}`).with("TE", "trailers"), post("/v1/watch", `{"answers":1,"code":5,"message":"m","trailer":{"a":"b"}}`).with("TE", "trailers"),
	)
}

// metadataRequests set headers and trailers, and list what the handler sees of the request's.
func metadataRequests() []request {
	var requests []request
	for _, script := range []string{
		`{"header":{"x-one":"a"}}`, `{"header":{"x-one":"a","x-two":"b"},"send":true}`, `{"trailer":{"x-one":"a"}}`, `{"trailer":{"x-one":"a"},"header":{"x-one":"b"}}`, `{"lateTrailer":{"x-late":"a"},"answers":1}`, `{"header":{"x-bin":"\u0001\u0002"}}`, `{"header":{"x-text":"a,b; c"}}`,
		`{"header":{"content-type":"text/plain"}}`, `{"header":{"grpc-status":"5"}}`, `{"header":{"location":"/x","set-cookie":"a=b"}}`, `{"header":{"content-length":"1"}}`, `{"header":{"x-line":"a\r\nb: c"}}`, `{"header":{"trailer":"x"}}`, `{"header":{"x-utf":"é"}}`,
	} {
		for _, target := range []string{"/v1/act", "/v1/watch", "/v1/collect", "/v1/chat"} {
			requests = append(requests, post(target, script), post(target, script).with("TE", "trailers"))
		}
		requests = append(requests, post("/v1/watch", `{"answers":2,`+script[1:]).with("TE", "trailers"), post("/v1/chat", `{"answers":2,`+script[1:]).with("TE", "trailers"))
	}
	asked := post("/v1/act", `{"metadata":true}`)
	return append(requests,
		asked, asked.with("Grpc-Metadata-X-Own", "a"), asked.with("Grpc-Metadata-X-Own", "a").with("Grpc-Metadata-X-Own", "b"), asked.with("Grpc-Metadata-X-Bin", "AQI="), asked.with("Grpc-Metadata-X-Bin", "***"), asked.with("X-Own", "a"), asked.with("X-Forwarded-For", "10.0.0.1"), asked.with("X-Forwarded-Host", "h"), asked.with("Forwarded", "for=10.0.0.1"),
		asked.with("Authorization", "Basic YTpi"), asked.with("Grpc-Metadata-Authorization", "Basic YTpi"), asked.with("Cookie", "a=b"), asked.with("Accept", "text/html"), asked.with("Accept-Language", "de"), asked.with("User-Agent", "own"), asked.with("Referer", "http://x/"), asked.with("Origin", "http://x.test"), asked.with("If-Match", "x"), asked.with("Date", "now"), asked.with("Max-Forwards", "1"),
		asked.with("Grpc-Metadata-Grpc-Timeout", "1S"), asked.with("Grpc-Metadata-:path", "/x"), asked.with("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), asked.with("Grpc-Timeout", "5S"), asked.with("Grpc-Timeout", "0n"), asked.with("Grpc-Timeout", "x"), asked.with("Request-Timeout", "5"), asked.with("Request-Timeout", "x"),
		post("/v1/watch", `{"metadata":true,"answers":1}`), post("/v1/chat", `{"metadata":true,"answers":1}`), post("/v1/collect", `{"metadata":true}`),
	)
}

// streamRequests have the kinds of streams, with one message, many and none, whole and cut.
func streamRequests() []request {
	requests := []request{
		get("/v1/watch"), get("/v1/watch?answers=1"), get("/v1/watch?answers=3&text=a"), get("/v1/watch?answers=100"), get("/v1/watch/texts?answers=2&text=a"), get("/v1/watch/texts?answers=2"), post("/v1/watch", `{"answers":2}`), post("/v1/watch", `{"answers":2}{"answers":1}`), get("/v1/watch?answers=x"), post("/v1/watch", `{"answers":1,"code":7},`), post("/v1/watch", `{"header":{"x-a":"b"}},`), post("/v1/part/value", `{},`),
		post("/v1/act", `{"header":{"x-a":"b"},"bare":true}`).with("Content-Type", "text/plain"), get("/v1/watch?send=true"),
		get("/v1/watch?answers=1").with("Accept", "text/event-stream"), get("/v1/watch?answers=1").with("Accept", "application/json"), get("/v1/act?text=a").with("Accept", "text/event-stream"),
	}
	for _, body := range []string{
		``, ` `, `{}`, `{"text":"a"}`, `{"text":"a","answers":1}`, "{\"text\":\"a\",\"answers\":1}\n{\"text\":\"b\",\"answers\":2}\n", `{"text":"a","answers":1}{"text":"b","answers":1}`, `[{"answers":1}]`, "{\"answers\":1}\n\n{\"answers\":1}", "{\"answers\":1}\n{\"answers\":", "{\"answers\":1}\nx", `x`, `null`, `{"answers":"x"}`, "{\"answers\":1}\n{\"answers\":\"x\"}", `{"answers":3,"text":"a"}`, "{\"answers\":1,\"code\":9}\n{\"answers\":1}", `{"nosuch":1}`, "{\"answers\":1}\r\n{\"answers\":1}\r\n", "{\"answers\":1},{\"answers\":1}",
		strings.Repeat("{\"answers\":1}\n", 50),
	} {
		for _, target := range []string{"/v1/collect", "/v1/chat"} {
			requests = append(requests, post(target, body), post(target, body).inChunks())
		}
	}
	return append(requests, post("/v1/chat", `{"answers":1}`).with("Content-Type", "application/x-ndjson"), post("/v1/collect", `{"answers":1}`).with("Content-Type", "application/x-ndjson"))
}

// bytesRequests have bodies that are no JSON, in both directions.
func bytesRequests() []request {
	requests := []request{
		get("/v1/download"), get("/v1/download?text=abc"), get("/v1/download?text=abc&content_type=image/png"), get("/v1/download?text=%7B%7D&content_type=application/json"), get("/v1/download?content_type=image/png"), get("/v1/download?text=abc&content_type=a%0Ab"),
		get("/v1/downloads"), get("/v1/downloads?answers=1&text=abc&content_type=text/plain"), get("/v1/downloads?answers=3&text=abc&content_type=text/plain"), get("/v1/downloads?answers=2&text=abc"), get("/v1/downloads?answers=2&content_type=text/plain"),
		get("/v1/download?text=abc&content_type=text/plain").with("Accept", "application/json"),
		post("/v1/download", ""), get("/v1/download?content_type=%00"), do("HEAD", "/v1/download?text=abc&content_type=text/plain", ""),
	}
	for _, target := range []string{"/v1/upload", "/v1/attach/a?version=2", "/v1/attach/a/back", "/v1/uploads"} {
		for _, body := range []string{``, `{}`, `raw bytes`, "\x00\xff\x01", `{"contentType":"a/b","data":"YWJj"}`, `{"data":"***"}`, `[1]`, `null`, `"a"`, strings.Repeat("x", 70000)} {
			for _, kind := range []string{"", "application/json", "application/octet-stream", "image/png"} {
				r := post(target, body)
				if kind != "" {
					r = r.with("Content-Type", kind)
				}
				requests = append(requests, r)
			}
			requests = append(requests, post(target, body).with("Content-Type", "image/png").inChunks())
		}
	}
	return requests
}

// headerRequests have headers that HTTP gives a meaning.
func headerRequests() []request {
	var requests []request
	for _, kind := range []string{"application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/json; charset=latin1", "text/plain", "application/xml", "application/octet-stream", "application/problem+json", "application/grpc", "application/grpc-web", "application/x-protobuf", "multipart/form-data; boundary=x", "*/*", "x", "", ";", "application/json, text/plain"} {
		requests = append(requests, post("/v1/everything", `{"text":"a"}`).with("Content-Type", kind))
	}
	for _, accept := range []string{"application/json", "*/*", "text/html", "application/xml", "application/grpc", "application/json;q=0", "x", ""} {
		requests = append(requests, get("/v1/everything/x").with("Accept", accept), get("/v1/nowhere").with("Accept", accept), get("/v1/act/5").with("Accept", accept))
	}
	for _, h := range [][2]string{
		{"Accept-Encoding", "gzip"}, {"Accept-Encoding", "identity"}, {"Accept-Encoding", "br"}, {"Accept-Encoding", "identity;q=0"}, {"Range", "bytes=0-1"}, {"If-None-Match", `"x"`}, {"If-None-Match", "*"}, {"If-Modified-Since", "Sat, 28 Nov 2026 00:00:00 GMT"}, {"Origin", "http://x.test"}, {"Sec-Fetch-Site", "cross-site"}, {"Upgrade", "websocket"}, {"Upgrade", "h2c"}, {"Connection", "close"}, {"TE", "trailers"}, {"TE", "gzip"}, {"X-Big", strings.Repeat("b", 5000)},
	} {
		requests = append(requests, get("/v1/everything/x").with(h[0], h[1]), post("/v1/everything", `{"text":"a"}`).with(h[0], h[1]))
	}
	return append(requests,
		post("/v1/everything", `{"text":"a"}`).with("Content-Encoding", "gzip"), post("/v1/everything", "\x1f\x8b\x08\x00").with("Content-Encoding", "gzip"), post("/v1/everything", `{"text":"a"}`).with("Content-Encoding", "identity"), post("/v1/everything", `{"text":"a"}`).with("Expect", "100-continue"), post("/v1/everything", `{"text":"a"}`).with("Expect", "x"),
		do("OPTIONS", "/v1/everything", "").with("Origin", "http://x.test").with("Access-Control-Request-Method", "POST"),
		get("/v1/everything/x").with("Host", "other.test"), post("/v1/everything", `{"text":"`+strings.Repeat("a", 5<<20)+`"}`), get("/v1/everything/x").with("X-Large", strings.Repeat("b", 40000)),
	)
}

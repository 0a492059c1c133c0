// A receiver of OTLP over HTTP that reads requests with pdata, the OpenTelemetry Collector's own representation of telemetry, and
// shows the spans that it got. GET /spans answers with them and forgets them.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"sync"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

type span struct {
	Service    string         `json:"service"`
	Trace      string         `json:"trace"`
	ID         string         `json:"id"`
	Parent     string         `json:"parent"`
	Name       string         `json:"name"`
	Kind       string         `json:"kind"`
	Status     string         `json:"status"`
	Nanos      int64          `json:"nanos"`
	Attributes map[string]any `json:"attributes"`
}

var (
	mutex sync.Mutex
	spans = []span{}
)

func read(traces ptrace.Traces) {
	mutex.Lock()
	defer mutex.Unlock()
	for _, resource := range traces.ResourceSpans().All() {
		service, _ := resource.Resource().Attributes().Get("service.name")
		for _, scope := range resource.ScopeSpans().All() {
			for _, one := range scope.Spans().All() {
				spans = append(spans, span{
					Service:    service.AsString(),
					Trace:      one.TraceID().String(),
					ID:         one.SpanID().String(),
					Parent:     one.ParentSpanID().String(),
					Name:       one.Name(),
					Kind:       one.Kind().String(),
					Status:     one.Status().Code().String(),
					Nanos:      int64(one.EndTimestamp()) - int64(one.StartTimestamp()),
					Attributes: one.Attributes().AsRaw(),
				})
			}
		}
	}
}

func receive(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	export := ptraceotlp.NewExportRequest()
	kind := request.Header.Get("Content-Type")
	switch kind {
	case "application/json":
		err = export.UnmarshalJSON(body)
	case "application/x-protobuf":
		err = export.UnmarshalProto(body)
	default:
		http.Error(answer, kind, http.StatusUnsupportedMediaType)
		return
	}
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	read(export.Traces())
	told, _ := ptraceotlp.NewExportResponse().MarshalJSON()
	answer.Header().Set("Content-Type", "application/json")
	answer.Write(told)
}

func show(answer http.ResponseWriter, _ *http.Request) {
	mutex.Lock()
	defer mutex.Unlock()
	json.NewEncoder(answer).Encode(spans)
	spans = []span{}
}

func main() {
	http.HandleFunc("POST /v1/traces", receive)
	http.HandleFunc("GET /spans", show)
	log.Fatal(http.ListenAndServe(os.Getenv("ADDRESS"), nil))
}

"""A collector of traces, for the tests: reads OTLP over HTTP with OpenTelemetry's own messages, and prints every span as a
line of JSON."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse


def attributes(of):
    return {one.key: one.value.string_value for one in of.attributes}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        right = self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = attributes(group.resource)["service.name"]
            for span in (span for scope in group.scope_spans for span in scope.spans):
                told = {
                    "right": right and self.headers["authorization"] == "Bearer collector",
                    "service": service,
                    "trace": span.trace_id.hex(),
                    "id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "nanos": span.end_time_unix_nano - span.start_time_unix_nano,
                    "attributes": attributes(span),
                }
                print(json.dumps(told), flush=True)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
print("ready", flush=True)
server.serve_forever()

"""A server outside of the exchange, for the tests: says what it was asked, a line of JSON each, and answers by the path."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        print(json.dumps({"path": self.path, "headers": headers}), flush=True)
        path = self.path.split("?")[0]
        if path == "/who":
            return self.answer(200, json.dumps({"ring": "ana"}).encode())
        if path == "/elsewhere":
            return self.answer(302, b"", location=sys.argv[3])
        if path == "/slow":
            # Says nothing until nobody listens any more.
            self.rfile.read(1)
            return
        if path == "/large":
            return self.answer(200, b"x" * 300_000)
        self.answer(404, b"")

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
print("ready", flush=True)
server.serve_forever()

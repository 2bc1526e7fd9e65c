"""A server over HTTPS that publishes the files of a folder. Prints "ready", and the path of what it is asked for.

    certificates_server.py ADDRESS PORT CERTIFICATE KEY FOLDER
"""

import functools
import ssl
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

ADDRESS, PORT, CERTIFICATE, KEY, FOLDER = sys.argv[1:]


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        print(self.path, flush=True)
        super().do_GET()

    def log_message(self, *_):
        pass


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(CERTIFICATE, KEY)
server = ThreadingHTTPServer((ADDRESS, int(PORT)), functools.partial(Handler, directory=FOLDER))
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()

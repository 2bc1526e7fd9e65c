"""Takes the shop's mails and text messages, as a mail server and Twilio would, and prints whom they tell what.

    told.py [ADDRESS [MAIL_PORT [SMS_PORT]]]
"""

import email
import email.policy
import socketserver
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
MAIL_PORT, SMS_PORT = (int(port) for port in (sys.argv[2:4] or (8425, 8463)))


class Mail(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as one client needs that asks for nothing else."""

    def handle(self):
        self.say("220 the shop's mail")
        to = []
        for line in self.rfile:
            verb = line.split(b":")[0].strip().upper()
            if verb.startswith((b"EHLO", b"HELO")):
                self.say("250 the shop's mail")
            elif verb == b"RCPT TO":
                to.append(line.decode().split("<")[1].split(">")[0])
                self.say("250 yes")
            elif verb == b"DATA":
                self.say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                print(f"mail to {', '.join(to)}: {mail['Subject']}", flush=True)
                to = []
                self.say("250 taken")
            elif verb == b"QUIT":
                return self.say("221 good-bye")
            else:
                self.say("250 yes")

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())


class Sms(BaseHTTPRequestHandler):
    """Twilio's Messages resource."""

    def do_POST(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        print(f"text message to {form['To']}: {form['Body']}", flush=True)
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class Threads(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


threading.Thread(target=Threads((ADDRESS, MAIL_PORT), Mail).serve_forever, daemon=True).start()
ThreadingHTTPServer((ADDRESS, SMS_PORT), Sms).serve_forever()

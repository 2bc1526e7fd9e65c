"""The world outside of an exchange: a mail server (aiosmtpd) with STARTTLS and a login, a service for text messages in the
shape of Twilio's Messages resource, a webhook receiver that checks signatures with the library of Standard Webhooks, and
a chat. What arrives is printed, a JSON object a line; what it shall do is read from the standard input:

    webhook 503     answers webhooks so from here on
    sms 429         the same for text messages
    mail 3          refuses every third connection for mail; 0 none
    mailbox 550     answers so for every mail address; 250 takes them

    receivers.py ADDRESS FOLDER SECRET
"""

import base64
import email
import email.policy
import json
import pathlib
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from asyncio import Protocol
from email.message import Message
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from standardwebhooks import Webhook

ADDRESS, FOLDER, SECRET = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
HTTP_PORT, SMTP_PORT = 8090, 2525
LOGIN = ("exchange", "of-the-tests")
ACCOUNT, TOKEN = "AC0123", "token-of-the-tests"

answers = {"webhook": 200, "sms": 201, "mail": 0, "mailbox": 250}
printing = threading.Lock()


def tell(way, **what):
    with printing:
        print(json.dumps({"way": way, "at": time.time(), **what}), flush=True)


def certificate():
    """A certificate for ADDRESS, and the authority's, which the exchange is to trust."""
    files = {name: str(FOLDER / name) for name in ["ca.pem", "ca.key", "cert.pem", "cert.key", "request.pem", "names"]}
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    if not pathlib.Path(files["cert.pem"]).exists():
        openssl("req", "-x509", *key, "-keyout", files["ca.key"], "-out", files["ca.pem"], "-days", "2", "-subj", "/CN=ca")
        openssl("req", *key, "-keyout", files["cert.key"], "-out", files["request.pem"], "-subj", "/CN=mail")
        pathlib.Path(files["names"]).write_text(f"subjectAltName=IP:{ADDRESS}\n")
        openssl("x509", "-req", "-in", files["request.pem"], "-CA", files["ca.pem"], "-CAkey", files["ca.key"],
                "-CAcreateserial", "-days", "2", "-out", files["cert.pem"], "-extfile", files["names"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files["cert.pem"], files["cert.key"])
    return context


class Mailbox:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if answers["mailbox"] != 250:
            return f"{answers['mailbox']} 5.1.1 there is no mailbox {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text, page = mail.get_body(["plain"]), mail.get_body(["html"])
        tell(
            "mail",
            id=mail["Message-ID"],
            to=envelope.rcpt_tos,
            sender=envelope.mail_from,
            returned=returned(envelope.rcpt_tos[0], envelope.content),
            subject=mail["Subject"],
            automatic=mail["Auto-Submitted"],
            text=text.get_content() if text else None,
            html=page.get_content() if page else None,
            attached=[[part.get_filename(), len(part.get_content())] for part in mail.iter_attachments()],
            secure=session.ssl is not None,
        )
        return "250 OK"


def returned(to, content):
    """The mail as it comes back hours later (RFC 3464): a server behind this one had no mailbox of the name."""
    report = MIMEMultipart("report", report_type="delivery-status")
    report["From"], report["To"], report["Subject"] = "MAILER-DAEMON@mx.example", "bounces@demo.example", "Undelivered Mail"
    report.attach(MIMEText(f"I could not deliver a mail to {to}.\n"))
    server, person = Message(), Message()
    server["Reporting-MTA"] = "dns; mx.example"
    person["Final-Recipient"], person["Action"], person["Status"] = f"rfc822; {to}", "failed", "5.1.1"
    person["Diagnostic-Code"] = f"smtp; 550 5.1.1 there is no mailbox {to}"
    status = Message()
    status["Content-Type"] = "message/delivery-status"
    status.set_payload([server, person])
    report.attach(status)
    report.attach(MIMEMessage(email.message_from_bytes(content)))
    return report.as_string()


class Refusal(Protocol):
    def connection_made(self, transport):
        transport.write(b"421 come back later\r\n")
        transport.close()


class MailServer(Controller):
    connections = 0

    def factory(self):
        self.connections += 1
        every = answers["mail"]
        if every and self.connections % every == 0:
            return Refusal()
        return super().factory()


def login(server, session, envelope, mechanism, data):
    given = (data.login.decode(), data.password.decode())
    return AuthResult(success=given == LOGIN, handled=False)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urllib.parse.urlparse(self.path).path
        if path == "/hook":
            status = self.webhook(body)
        elif path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json":
            status = self.sms(body)
        elif path == "/chat":
            tell("chat", body=json.loads(body), key=self.headers["Idempotency-Key"])
            status = 200
        else:
            status = 404
        answer = json.dumps({"status": status}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def webhook(self, body):
        try:
            event = Webhook(SECRET).verify(body, dict(self.headers))
        except Exception as why:
            tell("webhook", wrong=f"{type(why).__name__}: {why}")
            return 401
        tell(
            "webhook",
            id=self.headers["webhook-id"],
            content=self.headers["Content-Type"],
            event=event,
            status=answers["webhook"],
        )
        return answers["webhook"]

    def sms(self, body):
        wanted = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        if self.headers["Authorization"] != wanted or self.headers["Content-Type"] != "application/x-www-form-urlencoded":
            return 401
        if set(form) != {"To", "From", "Body"}:
            return 400
        if answers["sms"] < 300:
            tell("sms", to=form["To"], text=form["Body"])
        return answers["sms"]

    def log_message(self, *_):
        pass


mail = MailServer(
    Mailbox(),
    hostname=ADDRESS,
    port=SMTP_PORT,
    tls_context=certificate(),
    require_starttls=True,
    auth_required=True,
    authenticator=login,
)
mail.start()
receiver = ThreadingHTTPServer((ADDRESS, HTTP_PORT), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
tell("ready")
for line in sys.stdin:
    what, value = line.split()
    answers[what] = int(value)
    tell("obeyed")

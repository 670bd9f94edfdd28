"""What the on-call tests share: a webhook receiver, a mail sink, free ports, waiting with a deadline.

Loopback only, the standard library only. Receivers keep what arrived, with the time it arrived;
each runs in a thread of its own until its process ends.
"""

import email
import email.header
import email.policy
import http.server
import json
import socket
import socketserver
import sys
import threading
import time
import urllib.error
import urllib.request

# Between two looks at a condition that is waited for.
POLL_SECONDS = 0.05
# No mail or webhook of Alertmanager's comes near it; a stuck sender must not fill memory.
MAX_BODY_BYTES = 4 << 20


class Failure(Exception):
    """A test's expectation that did not come true, in words for a person."""


def wait_for(what, probe, seconds, alive=None):
    """Polls until probe() gives something true, and gives that; Failure after `seconds`.

    alive(), when given, is called between looks and raises Failure when waiting is hopeless.
    """
    deadline = time.monotonic() + seconds
    while True:
        result = probe()
        if result:
            return result
        if alive:
            alive()
        if time.monotonic() > deadline:
            raise Failure(f"waited {seconds:g} s for {what}, and it did not come")
        time.sleep(POLL_SECONDS)


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on, all held until all are chosen."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def get(url, seconds=5):
    """The body of a GET as text, or None when nobody answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as response:
            return response.read().decode("utf-8")
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


class WebhookReceiver:
    """Keeps (monotonic time, path, decoded JSON) of each POST in `calls`, in order of arrival."""

    def __init__(self):
        self.calls = calls = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                length = min(int(self.headers.get("Content-Length", 0)), MAX_BODY_BYTES)
                body = self.rfile.read(length)
                calls.append((time.monotonic(), self.path, json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass  # the test prints what matters

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"


class MailSink:
    """An SMTP server that keeps (monotonic time, recipients, message) of each mail in `mails`.

    Subjects come decoded (RFC 2047) through the message's policy.
    """

    def __init__(self):
        self.mails = mails = []

        class Handler(socketserver.StreamRequestHandler):
            def reply(self, line):
                self.wfile.write(line.encode("ascii") + b"\r\n")

            def data(self, recipients):
                self.reply("354 end with a dot")
                lines, size = [], 0
                while (line := self.rfile.readline(MAX_BODY_BYTES)) not in (b".\r\n", b""):
                    size += len(line)
                    if size > MAX_BODY_BYTES:
                        return
                    lines.append(line[1:] if line.startswith(b".") else line)
                message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                mails.append((time.monotonic(), recipients, message))
                self.reply("250 kept")

            def handle(self):
                try:
                    self.converse()
                except (ConnectionError, UnicodeDecodeError):
                    pass  # the sender broke off; what it completed is kept

            def converse(self):
                recipients = []
                self.reply("220 sink ESMTP")
                while line := self.rfile.readline(MAX_BODY_BYTES).decode("utf-8").strip():
                    verb = line[:4].upper()
                    if verb == "EHLO":
                        self.reply("250-sink")
                        self.reply("250 8BITMIME")
                    elif verb == "DATA":
                        self.data(recipients)
                        recipients = []
                    elif verb == "QUIT":
                        self.reply("221 bye")
                        return
                    else:
                        if verb == "RCPT":
                            recipients.append(line[line.find("<") + 1 : line.rfind(">")])
                        self.reply("250 ok")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self._server.server_address[1]}"


def subject(message):
    return str(email.header.make_header(email.header.decode_header(message["Subject"])))


def text(message):
    """The readable text of a mail, whatever its encoding."""
    part = message.get_body(preferencelist=("plain", "html"))
    return part.get_content() if part else ""


def main(test):
    """Runs test() and turns a Failure into a message and exit code 1."""
    try:
        test()
    except Failure as failure:
        print(f"FAIL: {failure}", file=sys.stderr)
        sys.exit(1)

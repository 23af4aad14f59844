"""An HTTP proxy that does chosen requests harm on their way to a server on this machine.

    with FaultyProxy(port) as proxy:
        rule = proxy.on("PUT", r"/_delta_log/.*1\\.json$", lost, times=1)
        ...                       # talk to proxy.url
        assert rule.hits == 1     # else the harm was never done and the test shows nothing

A harm is a function of an Exchange: it forwards the request or doesn't, and answers or doesn't.
"""

import http.client
import re
import select
import socket
import struct
import threading
import time
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

ANSWER_SECONDS = 60.0


class Exchange:
    """One request and what becomes of it."""

    def __init__(self, handler, body):
        self.handler, self.body = handler, body
        self.proxy = handler.server.proxy

    def forward(self):
        """The server's status, headers and body."""
        handler = self.handler
        up = http.client.HTTPConnection("127.0.0.1", self.proxy.upstream, timeout=ANSWER_SECONDS)
        try:
            up.putrequest(handler.command, handler.path, skip_host=True,
                          skip_accept_encoding=True)
            for name, value in handler.headers.items():
                up.putheader(name, value)
            up.endheaders(self.body)
            answer = up.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            up.close()

    def answer(self, status, headers, body, only=None):
        """Answers; with `only`, so many bytes of the body and then a reset."""
        handler = self.handler
        handler.send_response_only(status)
        named = {name.lower() for name, _ in headers}
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding"):
                handler.send_header(name, value)
        if "content-length" not in named:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body if only is None else body[:only])
        if only is not None:
            handler.wfile.flush()
            time.sleep(0.05)
            self.reset()

    def reset(self):
        """Ends the connection with RST, as a dying server or a firewall does."""
        reset(self.handler.connection)
        self.handler.close_connection = True

    def client_gone(self, seconds):
        """Waits until the client hangs up; False if it is still there then."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.proxy.ended.is_set():
            readable, _, _ = select.select([self.handler.connection], [], [], 0.05)
            if readable:
                return True
        return False


def reset(connection):
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # the handler's own files hold the descriptor, so closing the object is not enough
        socket.socket(fileno=connection.detach()).close()
    except OSError:
        pass


def hang_up(connection):
    """Ends a connection whose thread may be reading; that thread closes it."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


# ---------------------------------------------------------------- harms


def through(exchange):
    exchange.answer(*exchange.forward())


def status(code, name="InternalError"):
    """Refused with an error of S3; the server never sees the request."""
    body = f"<Error><Code>{name}</Code><Message>made by the test</Message></Error>".encode()
    return lambda exchange: exchange.answer(code, [("Content-Type", "application/xml")], body)


def refused(exchange):
    """The connection is reset; the server never sees the request."""
    exchange.reset()


def lost(exchange):
    """The server does it, the answer never arrives."""
    exchange.forward()
    exchange.reset()


def done_but_500(exchange):
    """The server does it, and a gateway on the way back says 500."""
    exchange.forward()
    status(500)(exchange)


def cut(exchange):
    """The head of the answer promises all, half of the body comes."""
    code, headers, body = exchange.forward()
    exchange.answer(code, headers, body, only=len(body) // 2)


def silent(exchange):
    """Never answered, never done; ends when the client gives up."""
    exchange.client_gone(ANSWER_SECONDS)
    exchange.reset()


def done_but_silent(exchange):
    """Done at once, never answered."""
    exchange.forward()
    silent(exchange)


def done_after_the_client_left(exchange):
    """Lies in a queue until the client has given up, and is done then."""
    exchange.client_gone(ANSWER_SECONDS)
    exchange.forward()
    exchange.reset()


def delayed(seconds):
    def harm(exchange):
        time.sleep(seconds)
        through(exchange)
    return harm


def older(hours):
    """Listings tell objects to be older, so that a test needn't wait for vacuum's day."""
    def age(match):
        then = datetime.strptime(match[1].decode(), "%Y-%m-%dT%H:%M:%S.%fZ")
        then -= timedelta(hours=hours)
        return b"<LastModified>%s</LastModified>" % then.strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()

    def harm(exchange):
        code, headers, body = exchange.forward()
        body = re.sub(rb"<LastModified>([^<]*)</LastModified>", age, body)
        headers = [(n, v) for n, v in headers if n.lower() != "content-length"]
        exchange.answer(code, headers, body)
    return harm


class Hold:
    """Keeps a request until `release` and tells by `wait` that it has come."""

    def __init__(self):
        self._come, self._go = threading.Event(), threading.Event()

    def __call__(self, exchange):
        self._come.set()
        self._go.wait(ANSWER_SECONDS)
        through(exchange)

    def wait(self, seconds=30):
        assert self._come.wait(seconds), "the request to be held never came"

    def release(self):
        self._go.set()


# ---------------------------------------------------------------- the proxy


class Rule:
    """Harms the n-th and the following `times` requests that match; None: all of them."""

    def __init__(self, method, path, harm, nth, times):
        self.method, self.path, self.harm = method, re.compile(path), harm
        self.nth, self.times = nth, times
        self.seen = self.hits = 0

    def takes(self, method, path):
        if method != self.method or not self.path.search(path):
            return False
        self.seen += 1
        if self.seen < self.nth or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True


class FaultyProxy:
    def __init__(self, upstream):
        self.upstream, self.port = upstream, 0
        self.log, self._rules, self._open = [], [], set()
        self._lock, self.ended = threading.Lock(), threading.Event()
        self._server = None
        self.up()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def on(self, method, path, harm, nth=1, times=1):
        """`path` is a pattern looked for in the unquoted path with its query."""
        rule = Rule(method, path, harm, nth, times)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self):
        with self._lock:
            self._rules.clear()
            self.log.clear()

    def up(self):
        """Listens, after `down` on the same port again."""
        server = Server(("127.0.0.1", self.port), Handler)
        server.proxy, self.port = self, server.server_address[1]
        with self._lock:
            self._server = server
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self):
        """As a killed server: no port, every open connection ended."""
        with self._lock:
            server, self._server = self._server, None
            connections = list(self._open)
        for connection in connections:
            hang_up(connection)
        if server is not None:
            server.shutdown()
            server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.down()

    # for the handler

    def harm_of(self, method, path):
        path = unquote(path)
        with self._lock:
            self.log.append((method, path))
            for rule in self._rules:
                if rule.takes(method, path):
                    return rule.harm
        return through

    def opened(self, server, connection):
        with self._lock:
            self._open.add(connection)
            if server is not self._server:  # it came while we went down
                hang_up(connection)

    def closed(self, connection):
        with self._lock:
            self._open.discard(connection)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass  # connections that break are what this proxy is for


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.proxy.opened(self.server, self.connection)

    def finish(self):
        self.server.proxy.closed(self.connection)
        try:
            super().finish()
        except (OSError, ValueError):
            pass

    def log_message(self, *_):
        pass

    def _exchange(self):
        assert "chunked" not in self.headers.get("Transfer-Encoding", ""), "no use for it yet"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        harm = self.server.proxy.harm_of(self.command, self.path)
        harm(Exchange(self, body))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _exchange

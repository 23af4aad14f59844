"""moto's S3 on a free loopback port, as a process of its own: `python s3_server.py`.

Prints the port and serves until its standard input ends, so that it dies with the tests even
when they are killed. Requests are answered one at a time: moto looks for the object of an
If-None-Match put and stores it in two steps, which two threads could interleave, and a real S3
never does.
"""

import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


def one_at_a_time(application):
    lock = threading.Lock()

    def answer(environ, start_response):
        with lock:
            return [b"".join(application(environ, start_response))]

    return answer


if __name__ == "__main__":
    application = one_at_a_time(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.port, flush=True)
    sys.stdin.read()

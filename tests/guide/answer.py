"""A language model's API, as far as a client sees of it: an answer that is an
event stream, over HTTPS on port 443. Its certificate and key are the arguments."""

import ssl
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

WORDS = ["All", " is", " well."]


class Answer(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        known = self.headers["Authorization"] == "Bearer sesame"
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for data in [*WORDS, "[DONE]"] if known else []:
            self.wfile.write(f"data: {data}\n\n".encode())


server = HTTPServer(("127.0.0.1", 443), Answer)
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(*sys.argv[1:])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()

"""The events that are to be sent: a file of JSON, named on the command line."""

import json
import socket
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    ROWS = json.load(file)


def after(last_event_id: str) -> list:
    """What follows the event with this id; everything if there is none."""
    ids = [row["id"] for row in ROWS]
    return ROWS[ids.index(last_event_id) + 1 :] if last_event_id in ids else ROWS


def listen() -> socket.socket:
    """Listens on a free port and says which."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    return listener

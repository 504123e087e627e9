"""Python's `httpx-sse`, in the loop around it that its users write: it decodes
one response, and leaves reconnecting to them."""

import json
import sys
import time

import httpx
from httpx_sse import connect_sse


def watch(url: str) -> None:
    last_event_id = ""
    retry = 3.0
    with httpx.Client(timeout=httpx.Timeout(10, read=60)) as client:
        while True:
            # The UTF-8 bytes, as EventSource sends them.
            headers = {b"Last-Event-ID": last_event_id.encode()} if last_event_id else {}
            try:
                with connect_sse(client, "GET", url, headers=headers) as source:
                    source.response.raise_for_status()
                    for event in source.iter_sse():
                        if event.retry is not None:
                            retry = event.retry / 1000
                        if not is_block_without_data(event, last_event_id):
                            tell(event)
                        # A refusal for a moment is an event stream without an id.
                        last_event_id = event.id or last_event_id
            except httpx.TransportError as error:
                print("lost:", repr(error), file=sys.stderr, flush=True)
            time.sleep(retry)


def is_block_without_data(event, last_event_id: str) -> bool:
    """An EventSource fires nothing for a block without data, httpx-sse an event
    that looks like one with empty data. The hub's have a reconnection time, or
    repeat a position."""
    is_empty = event.data == "" and event.event == "message"
    return is_empty and (event.retry is not None or event.id == last_event_id)


def tell(event) -> None:
    line = {"event": event.event, "data": event.data, "id": event.id}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


watch(sys.argv[1])

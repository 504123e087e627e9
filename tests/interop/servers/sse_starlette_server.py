"""Python's `sse-starlette` under uvicorn."""

import asyncio

import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.routing import Route

from table import after, listen


async def events(request):
    # Starlette makes Latin-1 of headers; EventSource sends UTF-8.
    last_event_id = request.headers.get("last-event-id", "").encode("latin-1").decode()

    async def replay():
        yield ServerSentEvent(retry=100)
        for row in after(last_event_id):
            yield ServerSentEvent(**row)
        await asyncio.Event().wait()

    return EventSourceResponse(replay())


app = Starlette(routes=[Route("/events", events)])
server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
asyncio.run(server.serve(sockets=[listen()]))

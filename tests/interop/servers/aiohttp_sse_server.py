"""Python's `aiohttp-sse`."""

from aiohttp import web
from aiohttp_sse import sse_response

from table import after, listen


async def events(request):
    async with sse_response(request) as response:
        last_event_id = response.last_event_id or ""
        for row in after(last_event_id):
            await response.send(**{name: value for name, value in row.items()})
        await response.wait()
    return response


app = web.Application()
app.add_routes([web.get("/events", events)])
web.run_app(app, sock=listen(), print=None)

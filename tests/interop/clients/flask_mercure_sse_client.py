"""PyPI's `flask-mercure-sse` with a hub that isn't its own: writes the URL that
it would give to a page, then who watches as the hub tells it, then publishes
the events of a JSON list and writes the id that each was given."""

import json
import sys

from flask import Flask
from flask_mercure_sse import MercureSSE

url, key, topic, events = sys.argv[1:5]
app = Flask(__name__)
mercure = MercureSSE(
    app, hub_url=url, subscriber_secret_key=key, publisher_secret_key=key, hub=False
)


def tell(value) -> None:
    print(json.dumps(value), flush=True)


with app.test_request_context():
    tell(mercure.authentified_hub_url([topic], payload={"name": "Ann"}))
    # Asked once whoever started this has begun to watch.
    while not mercure.is_connected(topic):
        pass
    tell(mercure.is_connected(topic, name="Ann") and not mercure.is_connected(topic, name="Bob"))
    for event in json.loads(events):
        [topic], data = event.pop("topics"), event.pop("data")
        tell(mercure.publish(topic, data, **event))

"""PyPI's `mercure-publisher`: publishes the events of a JSON list, and writes
the id that each was given."""

import json
import sys

from mercure_publisher import MercureConfig, MercurePublisher

url, key, events = sys.argv[1:4]
config = MercureConfig(hub_url=url, publisher_jwt_key=key, publish_topics=["*"])
with MercurePublisher(config) as publisher:
    for event in json.loads(events):
        topics, data = event.pop("topics"), event.pop("data")
        print(json.dumps(publisher.publish(topics, data, **event)), flush=True)

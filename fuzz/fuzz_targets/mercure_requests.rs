//! Queries, forms, paths and settings of any kind: what is taken keeps to its
//! bounds, what is encoded is read back, and names lead there and back.
#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use std::sync::Once;
use tidings_codec::fixtures::{Told, decode_chunks};
use tidings_codec::{Block, Decoder, EventType};
use tidings_mercure::document::{Route, link};
use tidings_mercure::request::publish::{Publish, publish};
use tidings_mercure::request::subscribe::subscribe;
use tidings_mercure::settings::Settings;
use tidings_mercure::topic::{MATCHERS, TOPIC_BYTES, TOPICS, is_reserved};
use tidings_mercure::{Base, Dialect, native};

fuzz_target!(|case: (bool, &str, &[u8], &[u8])| {
    // As in mercure_matchers: a panic that is caught must not end the process.
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(|panic| eprintln!("{panic}"))));
    let (strict, text, header, body) = case;
    let base = Base::new("https://hub.example").expect("a URL");
    let dialect = if strict { Dialect::V1 } else { Dialect::V0 };
    let mut headers = HeaderMap::new();
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert("content-type", form);
    if let Ok(value) = HeaderValue::from_bytes(header) {
        headers.insert("last-event-id", value);
    }
    if let Ok(asked) = subscribe(&headers, Some(text), Some(body), &base) {
        assert!((1..=MATCHERS).contains(&asked.matchers.len()));
        assert!(
            asked
                .matchers
                .iter()
                .all(|matcher| matcher.as_str().len() <= TOPIC_BYTES)
        );
    }
    if let Ok(event) = publish(&headers, body, dialect, &base) {
        check_event(&event, &base);
    }
    if let Some(route) = Route::parse(text, &base) {
        assert_eq!(Route::parse(&route.path(&base), &base), Some(route));
    }
    if let Some(topic) = native::from_mercure(text, &base) {
        assert_eq!(native::to_mercure(&topic, &base).as_deref(), Some(text));
    }
    for value in [link::to_self(text), link::etag(text)] {
        assert!(
            HeaderValue::from_str(&value).is_ok(),
            "{value:?} is no header"
        );
    }
    Settings::read([("SERVER_NAME", text), ("MERCURE_EXTRA_DIRECTIVES", text)]);
});

fn check_event(event: &Publish, base: &Base) {
    assert!((1..=TOPICS).contains(&event.topics.len()));
    for topic in &event.topics {
        assert!(topic.len() <= TOPIC_BYTES && topic != "*" && !is_reserved(topic, base));
    }
    // Whatever was published, watchers read that one event, and no other field of it.
    let block = Block {
        event_type: event.event_type.as_ref(),
        retry: event.retry,
        data: Some(&event.data),
        id: event.id.as_ref(),
    };
    let mut bytes = Vec::new();
    block.put(&mut bytes);
    let told = decode_chunks(&mut Decoder::new(), [&bytes[..]]);
    let id = event.id.as_ref().map(|id| id.as_str().to_owned());
    let read = Told::Event {
        event_type: event
            .event_type
            .as_ref()
            .map_or("", EventType::as_str)
            .to_owned(),
        data: event.data.replace("\r\n", "\n").replace('\r', "\n"),
        last_event_id: id.clone().unwrap_or_default(),
        id,
        retry: event.retry,
    };
    let retry = event.retry.map(Told::Retry);
    assert_eq!(told, Vec::from_iter(retry.into_iter().chain([read])));
}

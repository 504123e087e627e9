//! What leads from a document of the native face to its Mercure hub.

use crate::http::Reply;
use http::header::{self, HeaderValue};
use tidings_engine::{Selection, Selector};
use tidings_mercure::Base;
use tidings_mercure::document::{Link, link};
use tidings_mercure::native::to_mercure;

/// Adds the `Link` to the hub, and for what shows one topic the one that names it
/// as Mercure knows it.
pub fn add(reply: &mut Reply, selection: &Selection, base: &Base) {
    for link in links(selection, base) {
        if let Ok(link) = HeaderValue::from_str(&link) {
            reply.headers_mut().append(header::LINK, link);
        }
    }
}

fn links(selection: &Selection, base: &Base) -> Vec<String> {
    let mut links = vec![Link::default().to_hub(base)];
    if let [Selector::Exact(topic)] = selection.selectors() {
        links.extend(to_mercure(topic, base).map(|topic| link::to_self(&topic)));
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_named_and_patterns_are_not() {
        let base = Base::new("https://hub.example").expect("a URL");
        let hub = "<https://hub.example/.well-known/mercure>; rel=\"mercure\"";
        for (selectors, named) in [
            (&["a b"][..], Some("https://hub.example/t/a%20b")),
            (&["$mercure/urn:x"], Some("urn:x")),
            (&["$presence/a"], None),
            (&["a/*"], None),
            (&["a", "b"], None),
        ] {
            let selectors = selectors.iter().map(|text| Selector::new(text));
            let selectors: Result<Vec<_>, _> = selectors.collect();
            let selection = Selection::new(selectors.expect("selectors"));
            let mut expected = vec![hub.to_owned()];
            expected.extend(named.map(|named| format!("<{named}>; rel=\"self\"")));
            assert_eq!(links(&selection, &base), expected);
        }
    }
}

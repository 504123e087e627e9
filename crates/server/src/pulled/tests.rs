//! What pulled streams show.

use super::{Pulled, Said};
use crate::testing::{Ends, closed_hub, overtaken, watch};
use http::Version;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tidings_engine::Limits;

#[tokio::test(flavor = "multi_thread")]
async fn who_is_there_is_not_shown_by_rights_that_ended_after_they_were_looked_at() {
    for ends in [Ends::Revoked, Ends::Expires] {
        let hub = closed_hub(Limits::default(), &[]);
        let (admitted, own, taken) = overtaken(&hub, ends).await;
        let after = hub.live().end();
        let (watch, _place) = watch((&hub, Version::HTTP_2), admitted, after, Some(own));
        let mut stream = Pulled::new(Arc::clone(&hub), watch);
        while let Some(said) = poll_fn(|cx| stream.poll_said(cx)).await {
            let Said::Block(block) = said else {
                panic!("{ends:?}: something else than the beginning and the end");
            };
            let text = String::from_utf8_lossy(&block);
            assert!(!text.contains("tidings:presence"), "{ends:?}: {text}");
        }
        assert!(
            taken.load(Ordering::SeqCst),
            "{ends:?}: a snapshot was taken"
        );
    }
}

//! What is in the log once all is over, read by nobody's cursor.

use super::hub::Hub;
use super::ledger::Ledger;
use crate::{Begin, Chain, ChainReader, Moment, SlowPolicy, Step};
use std::collections::BTreeSet;
use tidings_engine::{Budget, Read, Selection, control};

/// The whole log as a chain: what it agrees on with the watchers' chains has
/// been delivered from the log and from nowhere else.
///
/// # Errors
/// Why the log can't be read.
pub fn whole_log(hub: &Hub, at: Moment) -> Result<Chain, String> {
    let everything = Selection::everything();
    let budget = Budget {
        frames: 64,
        bytes: 64 * 1024,
    };
    let mut cursor = hub.reader.earliest(&everything);
    let mut reader = ChainReader::new();
    reader.read(&control::opening(0, hub.wire_id(cursor.after)), at);
    loop {
        let mut frames = Vec::new();
        let read = hub
            .reader
            .read(&mut cursor, &everything, budget, &mut frames);
        match read.map_err(|error| format!("the log can't be read: {error}"))? {
            Read::Frames => frames
                .iter()
                .for_each(|frame| reader.read(&frame.payload(), at)),
            Read::Gap(gap) => {
                cursor.after = gap.to;
                reader.read(
                    &control::gap(control::GapReason::Expired, hub.wire_id(gap.to)),
                    at,
                );
            }
            Read::CaughtUp => break,
        }
    }
    Ok(Chain {
        selection: vec!["**".into()],
        begin: Begin::Earliest { at },
        slow: SlowPolicy::Disconnect,
        steps: reader.into_steps(),
        complete: true,
    })
}

/// The batches of which a part is in the log: each is there as a whole or not
/// at all.
pub fn torn_batches(log: &Chain, ledger: &Ledger) -> Vec<String> {
    let data = |step: &Step| match step {
        Step::Event { data, .. } => Some(data.clone()),
        _ => None,
    };
    let there: BTreeSet<String> = log.steps.iter().filter_map(data).collect();
    let torn = ledger.batches().filter(|batch| {
        let kept = batch.iter().filter(|data| there.contains(**data)).count();
        kept > 0 && kept < batch.len()
    });
    torn.map(|batch| format!("of the batch {batch:?} a part is in the log"))
        .collect()
}

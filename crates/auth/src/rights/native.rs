//! The native claim: `{"tidings": {"publish": [...], "subscribe": [...],
//! "presence": ..., "admin": true}}`.

use super::{Rights, strings};
use crate::Refusal;
use serde_json::Value;
use tidings_engine::Selector;

pub(super) fn read(claim: &Value, rights: &mut Rights) -> Result<(), Refusal> {
    let claim = claim.as_object().ok_or(Refusal::Rights)?;
    for (name, value) in claim {
        match name.as_str() {
            "publish" => rights.publish.add_native(selectors(value)?),
            "subscribe" => rights.subscribe.add_native(selectors(value)?),
            "presence" => rights.show(value)?,
            "admin" => rights.admin = value.as_bool().ok_or(Refusal::Rights)?,
            // What isn't understood may have been meant to take rights away.
            _ => return Err(Refusal::Rights),
        }
    }
    Ok(())
}

fn selectors(list: &Value) -> Result<Vec<Selector>, Refusal> {
    let selector = |text| Selector::new(text).map_err(|_| Refusal::Rights);
    strings(list)?.into_iter().map(selector).collect()
}

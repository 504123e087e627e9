//! The engine's limits as the configuration gives them.

use super::{Config, ConfigError, ConfigErrors, Limit, Place, Subscriptions};
use tidings_engine::Limits;
use tidings_engine::limits::{InconsistentLimits, SPARE_DESCRIPTORS};

impl Config {
    /// The limits of a hub whose process may open `descriptors` files
    /// (`RLIMIT_NOFILE`).
    ///
    /// # Errors
    /// The limits contradict each other or need more files; the arithmetic
    /// stands in the error.
    pub fn engine_limits(&self, descriptors: u64) -> Result<Limits, ConfigErrors> {
        self.limits_within(descriptors).map_err(|(key, what)| {
            let place = Place::Setting(key);
            ConfigErrors::from(ConfigError { place, what })
        })
    }

    /// [`Config::engine_limits`], with the path of the setting to change beside
    /// the arithmetic.
    pub(super) fn limits_within(&self, descriptors: u64) -> Result<Limits, (&'static str, String)> {
        let limits = self.map_limits(descriptors);
        limits
            .check()
            .and_then(|()| limits.check_descriptors(descriptors))
            .map_err(|inconsistent| (path(&inconsistent), inconsistent.to_string()))?;
        Ok(limits)
    }

    fn map_limits(&self, descriptors: u64) -> Limits {
        let given = &self.limits;
        let subscriptions = match given.subscriptions {
            Subscriptions::AtMost(number) => number,
            Subscriptions::Auto => {
                let room = descriptors.saturating_sub(SPARE_DESCRIPTORS).max(1);
                let room = usize::try_from(room).unwrap_or(usize::MAX);
                Limits::default().subscriptions.min(room)
            }
        };
        Limits {
            event_data_bytes: given.event_data_bytes.as_usize(),
            event_wire_bytes: given.event_wire_bytes.as_usize(),
            line_bytes: given.line_bytes.as_usize(),
            batch_events: given.batch_events,
            batch_bytes: given.batch_bytes.as_usize(),
            publish_queue_bytes: given.publish_queue_bytes.as_usize(),
            publish_body_bytes: given.publish_body_bytes.as_usize(),
            tail_bytes: given.tail_bytes.as_usize(),
            subscriptions,
            selectors_per_subscription: given.selectors_per_subscription,
            query_bytes: given.query_bytes.as_usize(),
            subscription_buffer_bytes: given.subscription_buffer_bytes.as_usize(),
            heartbeat: self.stream.heartbeat,
            idle_timeout: self.stream.idle_timeout,
            retry: self.stream.retry,
            publish_silence: self.publish.body_idle,
            memory_bytes: match given.memory_bytes {
                Limit::Unlimited => None,
                Limit::AtMost(bytes) => Some(bytes.0),
            },
        }
    }
}

/// Where the file has the setting that the engine names.
fn path(inconsistent: &InconsistentLimits) -> &'static str {
    match inconsistent.setting {
        "heartbeat" => "stream.heartbeat",
        "idle_timeout" => "stream.idle_timeout",
        "retry" => "stream.retry",
        "publish_silence" => "publish.body_idle",
        setting => super::settings::limit_path(setting).unwrap_or("limits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The defaults stand twice, as the text of the file and in the engine: this
    /// keeps them one.
    #[test]
    fn the_defaults_are_those_of_the_engine() {
        let limits = Config::default().engine_limits(u64::MAX).unwrap();
        assert_eq!(limits, Limits::default());
    }

    #[test]
    fn e8_open_files() {
        let limits = |subscriptions, descriptors| {
            let mut config = Config::default();
            config.limits.subscriptions = subscriptions;
            config
                .engine_limits(descriptors)
                .map(|limits| limits.subscriptions)
        };
        assert_eq!(limits(Subscriptions::Auto, 1024), Ok(896));
        assert_eq!(limits(Subscriptions::Auto, 1 << 20), Ok(20_000));
        assert_eq!(limits(Subscriptions::AtMost(896), 1024), Ok(896));
        for (subscriptions, descriptors, arithmetic) in [
            (
                Subscriptions::AtMost(897),
                1024,
                "897 + 128 for the hub itself = 1025",
            ),
            (Subscriptions::Auto, 128, "1 + 128 for the hub itself = 129"),
        ] {
            let error = limits(subscriptions, descriptors).unwrap_err().to_string();
            assert!(error.starts_with("limits.subscriptions: "), "{error}");
            assert!(error.contains(arithmetic), "{error}");
        }
    }
}

//! The engine's limits as the configuration gives them.

use super::{Config, ConfigError, ConfigErrors, OrAuto, Place};
use crate::presence;
use std::num::NonZeroUsize;
use tidings_engine::limits::{InconsistentLimits, SPARE_CONNECTIONS, own_descriptors};
use tidings_engine::slow::SlowRules;
use tidings_engine::{Limits, Selection};

/// More than a process can use; some systems grant numbers without end.
const MOST_DESCRIPTORS: u64 = 1 << 20;

/// What a hub has to live on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// How many files the process may open (`RLIMIT_NOFILE`).
    pub descriptors: u64,
    /// How many lanes the hub will have.
    pub lanes: usize,
}

impl Machine {
    /// A machine that never runs short.
    pub const BOUNDLESS: Self = Self {
        descriptors: u64::MAX,
        lanes: 1,
    };

    /// The one this process runs on. Takes all the descriptors that the system
    /// grants.
    pub fn here() -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        let granted = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum,
            Err(_) => limit.current,
        };
        Self {
            // No number means no limit.
            descriptors: granted.unwrap_or(u64::MAX),
            lanes: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Config {
    /// The limits of a hub on `machine`.
    ///
    /// # Errors
    /// The limits contradict each other or need more files; the arithmetic
    /// stands in the error.
    pub fn engine_limits(&self, machine: Machine) -> Result<Limits, ConfigErrors> {
        self.limits_within(machine).map_err(|(key, what)| {
            let place = Place::Setting(key);
            ConfigErrors::from(ConfigError { place, what })
        })
    }

    /// What becomes of slow watchers, by topic.
    pub fn slow_rules(&self) -> SlowRules {
        let rules = self.stream.topics.iter();
        SlowRules::new(
            rules.filter_map(|rule| Some((rule.selector.clone(), rule.slow?))),
            self.stream.slow,
        )
    }

    /// Of which topics presence is kept, and how.
    pub fn presence_settings(&self) -> presence::Settings {
        presence::Settings {
            topics: Selection::new(self.presence.topics.clone()),
            grace: self.presence.grace,
            list: self.presence.list,
            interval: self.presence.interval,
        }
    }

    /// [`Config::engine_limits`], with the path of the setting to change beside
    /// the arithmetic.
    pub(super) fn limits_within(&self, machine: Machine) -> Result<Limits, (&'static str, String)> {
        let mut limits = self.fixed_limits();
        self.choose_places(&mut limits, machine);
        limits
            .check()
            .and_then(|()| limits.check_descriptors(machine.descriptors, machine.lanes))
            .map_err(|inconsistent| (self.path(&inconsistent), inconsistent.to_string()))?;
        Ok(limits)
    }

    /// Fills in how many connections and subscriptions there may be: where it
    /// isn't said, as many as the limit of open files and the memory allow.
    fn choose_places(&self, limits: &mut Limits, machine: Machine) {
        let given = &self.limits;
        let (connections, subscriptions) = (given.connections.given(), given.subscriptions.given());
        let descriptors = machine.descriptors.min(MOST_DESCRIPTORS);
        let files = descriptors.saturating_sub(own_descriptors(machine.lanes));
        (limits.connections, limits.subscriptions) = (SPARE_CONNECTIONS, 0);
        let fixed = limits.worst_case_bytes();
        let memory = limits.memory_bytes.map_or(u64::MAX, |memory| {
            memory.saturating_sub(fixed) / limits.place_bytes()
        });
        let spare = SPARE_CONNECTIONS as u64;
        // With neither a file nor a byte to spare this is a hub that can't be,
        // and the checks say why.
        let auto = files.saturating_sub(spare).min(memory).max(1);
        let auto = usize::try_from(auto).unwrap_or(usize::MAX);
        limits.subscriptions = match (subscriptions, connections) {
            (Some(number), _) => number.get(),
            (None, Some(connections)) => connections.get().saturating_sub(SPARE_CONNECTIONS).max(1),
            (None, None) => auto,
        };
        limits.connections = match connections {
            Some(number) => number.get(),
            None => auto
                .max(limits.subscriptions)
                .saturating_add(SPARE_CONNECTIONS),
        };
        limits.subscriptions_per_address = match given.subscriptions_per_address {
            OrAuto::Auto => Some(limits.subscriptions.div_ceil(2)),
            OrAuto::Given(bound) => bound.at_most().map(NonZeroUsize::get),
        };
    }

    fn fixed_limits(&self) -> Limits {
        let given = &self.limits;
        Limits {
            event_data_bytes: given.event_data_bytes.as_usize(),
            event_wire_bytes: given.event_wire_bytes.as_usize(),
            line_bytes: given.line_bytes.as_usize(),
            batch_events: given.batch_events,
            batch_bytes: given.batch_bytes.as_usize(),
            publish_queue_bytes: given.publish_queue_bytes.as_usize(),
            publish_body_bytes: given.publish_body_bytes.as_usize(),
            publish_bodies: given.publish_bodies,
            tls: !self.tls.listen.is_empty(),
            tail_bytes: given.tail_bytes.as_usize(),
            selectors_per_subscription: given.selectors_per_subscription,
            pattern_bytes: given.pattern_bytes.as_usize(),
            presence_bytes: given.presence_bytes.as_usize(),
            standing_bytes: match self.auth.keys.is_empty() {
                true => 0,
                false => tidings_auth::rights::MAX_BYTES,
            },
            query_bytes: given.query_bytes.as_usize(),
            subscription_buffer_bytes: given.subscription_buffer_bytes.as_usize(),
            lag_bytes: given.lag.as_usize(),
            stall: given.stall,
            heartbeat: self.stream.heartbeat,
            idle_timeout: self.stream.idle_timeout,
            retry: self.stream.retry,
            publish_silence: self.publish.body_idle,
            memory_bytes: given.memory_bytes.at_most().map(|bytes| bytes.0),
            ..Limits::default()
        }
    }

    /// Where the file has the setting that the engine names.
    fn path(&self, inconsistent: &InconsistentLimits) -> &'static str {
        match inconsistent.setting {
            "heartbeat" => "stream.heartbeat",
            "idle_timeout" => "stream.idle_timeout",
            "retry" => "stream.retry",
            "publish_silence" => "publish.body_idle",
            "lag_bytes" => "limits.lag",
            // As many connections are needed as watchers were asked for.
            "connections" if self.limits.connections == OrAuto::Auto => "limits.subscriptions",
            setting => super::settings::limit_path(setting).unwrap_or("limits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(descriptors: u64) -> Machine {
        Machine {
            descriptors,
            lanes: 2,
        }
    }

    /// The defaults stand twice, as the text of the file and in the engine: this
    /// keeps them one. How many places there are depends on the machine.
    #[test]
    fn the_defaults_are_those_of_the_engine() {
        let limits = Config::default().engine_limits(machine(20_064 + 104));
        assert_eq!(limits.unwrap(), Limits::default());
    }

    /// The connections, subscriptions and subscriptions of one address that
    /// these settings come to.
    fn places(
        settings: &[(&str, &str)],
        descriptors: u64,
    ) -> Result<(usize, usize, usize), String> {
        let lines = settings
            .iter()
            .map(|(name, value)| format!("{name} = {value}\n"));
        let file = super::super::File {
            name: "tidings.toml".to_owned(),
            text: format!("[limits]\n{}", lines.collect::<String>()),
        };
        let config = Config::load(Some(&file), [], &[]).map_err(|errors| errors.to_string())?;
        let limits = config.engine_limits(machine(descriptors));
        let limits = limits.map_err(|errors| errors.to_string())?;
        let per_address = limits.subscriptions_per_address.unwrap_or(usize::MAX);
        Ok((limits.connections, limits.subscriptions, per_address))
    }

    #[test]
    fn places_follow_from_files_and_memory() {
        let check = |settings: &[(&str, &str)], descriptors, expected| {
            assert_eq!(places(settings, descriptors), Ok(expected), "{settings:?}");
        };
        check(&[], 1024, (920, 856, 428));
        check(
            &[],
            1 << 20,
            ((1 << 20) - 104, (1 << 20) - 168, (1 << 19) - 84),
        );
        check(
            &[],
            u64::MAX,
            ((1 << 20) - 104, (1 << 20) - 168, (1 << 19) - 84),
        );
        check(&[], 104 + 65, (65, 1, 1));
        check(&[("subscriptions", "856")], 1024, (920, 856, 428));
        check(&[("subscriptions", "2")], 1024, (920, 2, 1));
        check(&[("connections", "100")], 1024, (100, 36, 18));
        // Over HTTP/2 there can be more streams than connections.
        let both = [("connections", "100"), ("subscriptions", "5000")];
        check(&both, 1024, (100, 5000, 2500));
        check(
            &[("subscriptions_per_address", "\"none\"")],
            1024,
            (920, 856, usize::MAX),
        );
        check(&[("subscriptions_per_address", "7")], 1024, (920, 856, 7));
        // What 1 GiB leaves when everything else is paid for.
        let (connections, subscriptions, _) =
            places(&[("memory_bytes", "\"1GiB\"")], 1 << 20).unwrap();
        let limits = Limits::default();
        let place = limits.place_bytes();
        let fixed = Limits {
            connections: 64,
            subscriptions: 0,
            ..limits
        }
        .worst_case_bytes();
        assert_eq!(subscriptions as u64, ((1 << 30) - fixed) / place);
        assert_eq!(connections, subscriptions + 64);
    }

    #[test]
    fn tls_costs_memory_where_it_is_spoken() {
        let mut config = Config::default();
        let without = config.engine_limits(machine(1024)).unwrap();
        config.tls.listen = vec!["127.0.0.1:0".parse().unwrap()];
        let with = config.engine_limits(machine(1024)).unwrap();
        assert!(with.worst_case_bytes() > without.worst_case_bytes());
    }

    #[test]
    fn e8_open_files() {
        let check = |settings: &[(&str, &str)], descriptors, setting: &str, arithmetic: &str| {
            let error = places(settings, descriptors).unwrap_err();
            assert!(error.starts_with(setting), "{error}");
            assert!(error.contains(arithmetic), "{error}");
        };
        let arithmetic = "connections 921 + 104 for the hub itself = 1025";
        check(
            &[("subscriptions", "857")],
            1024,
            "limits.subscriptions: ",
            arithmetic,
        );
        check(
            &[("connections", "921")],
            1024,
            "limits.connections: ",
            arithmetic,
        );
        let arithmetic = "connections 65 + 104 for the hub itself = 169";
        check(&[], 168, "limits.subscriptions: ", arithmetic);
        check(&[], 0, "limits.subscriptions: ", arithmetic);
    }

    #[test]
    fn e8_memory_that_is_too_small_for_one_watcher() {
        let error = places(&[("memory_bytes", "\"64MiB\"")], 1024).unwrap_err();
        assert!(error.starts_with("tidings.toml:2:16: at worst "), "{error}");
    }
}

//! The environment of a Mercure hub's image (`MERCURE_*`, `SERVER_NAME`), as
//! settings of this hub: behind the file, before `TIDINGS_*`.

use super::auth::{AuthKey, Material};
use super::value::{
    DocumentUrl, Input, Origin, Role, Secret, Setting, format_duration, public_key_algorithms,
};
use super::{ConfigError, Loading, Place, settings};
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tidings_auth::Algorithm;
use tidings_auth::presented::ACCESS_TOKEN_COOKIE;
use tidings_mercure::settings::{Key, Settings};

const DIRECTIVES: &str = "MERCURE_EXTRA_DIRECTIVES";

/// What such an environment asks for in vain, a sentence each. It holds no
/// value that was configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes(pub Vec<String>);

/// Applies the environment of a Mercure hub over what is loaded, if it is one:
/// `SERVER_NAME` alone may be anybody's.
pub(super) fn apply(loading: &mut Loading, environment: &[(String, OsString)]) {
    let text = |(name, value): &(String, OsString)| match value.to_str() {
        Some(text) => Ok((name.clone(), text.to_owned())),
        None => Err(name.clone()),
    };
    let given = |(name, value): &&(String, OsString)| {
        name.starts_with("MERCURE_") && !value.is_empty() && !is_foreign(name)
    };
    if !environment.iter().any(|variable| given(&variable)) {
        return;
    }
    let mut variables = Vec::new();
    for variable in environment.iter().filter(|(name, _)| !is_foreign(name)) {
        match text(variable) {
            Ok(variable) => variables.push(variable),
            Err(name) if name.starts_with("MERCURE_") || name == "SERVER_NAME" => {
                loading.errors.push(ConfigError {
                    place: Place::Env(name),
                    what: "its value isn't UTF-8".to_owned(),
                });
            }
            Err(_) => {}
        }
    }
    let pairs = variables.iter().map(|(name, value)| (&**name, &**value));
    let settings = Settings::read(pairs);
    let has = |name: &str| {
        variables
            .iter()
            .any(|(own, text)| own == name && !text.is_empty())
    };
    let mut reader = Reader { loading };
    for warning in &settings.warnings {
        reader.note(warning.to_string());
    }
    for (key, variable, role) in [
        (
            &settings.publisher_key,
            "MERCURE_PUBLISHER_JWT_KEY",
            Role::Publish,
        ),
        (
            &settings.subscriber_key,
            "MERCURE_SUBSCRIBER_JWT_KEY",
            Role::Subscribe,
        ),
    ] {
        let variable = if has(variable) { variable } else { DIRECTIVES };
        if let Some(key) = key {
            reader.key(variable, key, role);
        }
    }
    for (url, role) in [
        (&settings.publisher_jwks_url, Role::Publish),
        (&settings.subscriber_jwks_url, Role::Subscribe),
    ] {
        if let Some(url) = url {
            reader.document(url, role);
        }
    }
    reader.rest(&settings);
    loading.port = settings.port;
}

/// Listens on the port that `SERVER_NAME` asks for, unless an address is given;
/// for HTTPS if that is what it asks for and there is a certificate.
pub(super) fn listen(loading: &mut Loading) {
    let given = |path| loading.places.contains_key(path);
    let Some(port) = loading.port else { return };
    if given("listen") || given("tls.listen") {
        return;
    }
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let config = &mut loading.config;
    let public = config.public_url.as_ref().map(|url| url.base().hub());
    let secure = public.is_none_or(|url| url.scheme() == "https");
    let path = if secure && config.tls.certificate.is_some() {
        config.listen.clear();
        config.tls.listen = vec![address];
        "tls.listen"
    } else {
        if public.is_some_and(|url| url.scheme() == "https") {
            let note = format!(
                "SERVER_NAME: HTTPS needs a certificate, which this hub doesn't get by itself: port \
                 {port} is for plain HTTP; put a proxy before it, or set tls.certificate and tls.key"
            );
            config.notes.0.push(note);
        }
        config.listen = vec![address];
        "listen"
    };
    let place = Place::Env("SERVER_NAME".to_owned());
    loading.places.insert(path, place);
}

/// What Kubernetes sets if a service is called "mercure".
fn is_foreign(name: &str) -> bool {
    super::environment::is_of_a_service(name, "MERCURE_")
}

struct Reader<'a> {
    loading: &'a mut Loading,
}

impl Reader<'_> {
    fn note(&mut self, text: String) {
        self.loading.config.notes.0.push(text);
    }

    fn place(&mut self, path: &'static str, variable: &str) {
        let place = Place::Env(variable.to_owned());
        self.loading.places.insert(path, place);
    }

    /// Sets what isn't worth keeping a hub from starting.
    fn set(&mut self, path: &'static str, text: &str, variable: &str) {
        let key = settings::keys().find(|key| key.path == path);
        let key = key.unwrap_or_else(|| panic!("no setting {path}"));
        match (key.set)(&mut self.loading.config, Input::Text(text)) {
            Ok(()) => self.place(path, variable),
            Err(faults) => {
                for fault in faults {
                    let what = fault.what;
                    self.note(format!("{variable}: {path} stays as it is: {what}"));
                }
            }
        }
    }

    /// A key that can't be used keeps the hub from starting: nobody could
    /// publish.
    fn key(&mut self, variable: &str, key: &Key, role: Role) {
        let algorithm = key.algorithm.as_deref().unwrap_or("HS256");
        let read = Algorithm::from_text(algorithm).map_err(|fault| fault.what);
        let read = read.and_then(|algorithm| {
            let text = Secret(key.secret.clone());
            let material = match tidings_auth::key::is_hmac(algorithm) {
                true => Material::Secret(text),
                false => Material::Pem(text),
            };
            let key = AuthKey::legacy(vec![algorithm], material, role);
            key.check().map_err(|(_, what)| what)?;
            Ok(key)
        });
        match read {
            Ok(key) => self.add(key, variable),
            Err(what) => self.refuse(variable, what),
        }
    }

    fn document(&mut self, url: &str, role: Role) {
        match DocumentUrl::from_text(url) {
            Ok(url) => {
                let material = Material::JwksUrl(url);
                let key = AuthKey::legacy(public_key_algorithms(), material, role);
                self.add(key, DIRECTIVES);
            }
            Err(fault) => self.refuse(DIRECTIVES, fault.what),
        }
    }

    /// Beside the keys of the file. One that stands for both roles is one key.
    fn add(&mut self, key: AuthKey, variable: &str) {
        self.place("auth.keys", variable);
        let keys = &mut self.loading.config.auth.keys;
        let same = |own: &&mut AuthKey| {
            own.legacy && own.algorithms == key.algorithms && own.material == key.material
        };
        match keys.iter_mut().find(same) {
            Some(own) => {
                own.roles.extend(key.roles);
                own.roles.dedup();
            }
            None => keys.push(key),
        }
    }

    fn refuse(&mut self, variable: &str, what: String) {
        self.loading.errors.push(ConfigError {
            place: Place::Env(variable.to_owned()),
            what,
        });
    }

    fn rest(&mut self, settings: &Settings) {
        if let Some(url) = &settings.public_url {
            self.set("public_url", url, "SERVER_NAME");
        }
        if settings.anonymous {
            self.set("mercure.anonymous", "true", DIRECTIVES);
        }
        if settings.subscriptions {
            self.set("mercure.subscriptions", "true", DIRECTIVES);
        }
        self.origins("cors.origins", &settings.cors_origins);
        self.origins("auth.origins", &settings.publish_origins);
        if let Some(name) = &settings.cookie_name {
            let names = format!("{name},{ACCESS_TOKEN_COOKIE}");
            self.set("auth.cookies", &names, DIRECTIVES);
        }
        if let Some(heartbeat) = settings.heartbeat {
            self.heartbeat(heartbeat);
        }
        if let Some(lifetime) = settings.write_timeout {
            let text = match lifetime {
                Duration::ZERO => "none".to_owned(),
                lifetime => format_duration(lifetime),
            };
            self.set("mercure.lifetime", &text, DIRECTIVES);
        }
        if let Some(timeout) = settings.dispatch_timeout {
            self.set("limits.stall", &format_duration(timeout), DIRECTIVES);
        }
        if let Some(events) = settings.history_events {
            let text = match events {
                0 => "none".to_owned(),
                events => events.to_string(),
            };
            self.set("retention.events", &text, DIRECTIVES);
        }
    }

    /// Those that are none are left out: a hub that opens less than was meant
    /// is no danger.
    fn origins(&mut self, path: &'static str, origins: &[String]) {
        let mut good = Vec::new();
        for origin in origins {
            match Origin::from_text(origin) {
                Ok(_) => good.push(origin.as_str()),
                Err(fault) => self.note(format!(
                    "{DIRECTIVES}: an origin for {path} is left out: {}",
                    fault.what
                )),
            }
        }
        if !good.is_empty() {
            self.set(path, &good.join(","), DIRECTIVES);
        }
    }

    /// Behind what is known of proxies it would be a contradiction.
    fn heartbeat(&mut self, heartbeat: Duration) {
        let silence = self.loading.config.stream.idle_timeout;
        if heartbeat >= silence {
            let silence = format_duration(silence);
            self.note(format!(
                "{DIRECTIVES}: stream.heartbeat stays as it is: it has to be shorter than \
                 stream.idle_timeout = {silence}"
            ));
            return;
        }
        self.set("stream.heartbeat", &format_duration(heartbeat), DIRECTIVES);
    }
}

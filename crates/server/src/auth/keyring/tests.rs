//! Keys that rotate, and servers of documents that fail (faults F27).

use super::super::{Auth, Kept, Over, Settings, Who, Wish};
use super::*;
use crate::config::{Config, File};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use rcgen::{KeyPair, PublicKeyData};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tidings_auth::mint::SigningKey;
use tidings_auth::{Algorithm, Face, Selection, Selector};
use tidings_eventsource::protocol::{Head, Request};
use tidings_eventsource::transport::{Response, Sending, Transport};

const ISSUER: &str = "https://id.example";
const HUB: &str = "https://hub.example";
const BEGIN_MS: u64 = 1_800_000_000_000;

/// What the server of documents does.
#[derive(Clone)]
enum Server {
    Answers(String),
    Refuses,
    Hangs,
}

/// A server that counts how often it is asked.
#[derive(Clone)]
struct Scripted {
    server: Arc<Mutex<Server>>,
    asked: Arc<AtomicUsize>,
}

impl Transport for Scripted {
    fn send(&self, request: Request) -> Sending {
        assert_eq!(request.url.as_str(), "https://id.example/jwks");
        self.asked.fetch_add(1, Ordering::SeqCst);
        let server = self.server.lock().unwrap().clone();
        Box::pin(async move {
            let (status, body) = match server {
                Server::Answers(document) => (StatusCode::OK, document),
                Server::Refuses => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
                Server::Hangs => std::future::pending().await,
            };
            // As a network does, so that others come in between.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let head = Head {
                status,
                headers: HeaderMap::new(),
            };
            let body = futures_util::stream::iter([Ok(Bytes::from(body))]);
            Ok(Response {
                head,
                body: Box::pin(body),
            })
        })
    }
}

/// A hub whose keys are in a document, at a time that passes when nothing
/// else happens.
struct World {
    keyring: Arc<Keyring>,
    scripted: Scripted,
    begin: Instant,
}

impl World {
    fn new(server: Server) -> Self {
        let text = format!(
            "[[auth.keys]]\nalgorithms = \"ES256\"\nissuer = \"{ISSUER}\"\n\
             jwks_url = \"https://id.example/jwks\"\n"
        );
        let file = File {
            name: "hub.toml".to_owned(),
            text,
        };
        let config = Config::load(Some(&file), [], &[]).expect("a configuration");
        let keys = Keys::read(&config.auth).expect("keys");
        let scripted = Scripted {
            server: Arc::new(Mutex::new(server)),
            asked: Arc::default(),
        };
        let begin = Instant::now();
        let clock = move || Timestamp(BEGIN_MS + begin.elapsed().as_millis() as u64);
        let fetcher = Fetcher::over(scripted.clone());
        let base = Base::new(HUB).expect("a URL");
        Self {
            keyring: Keyring::with(&config.auth, keys, &base, fetcher, clock),
            scripted,
            begin,
        }
    }

    fn answers(&self, server: Server) {
        *self.scripted.server.lock().unwrap() = server;
    }

    fn asked(&self) -> usize {
        self.scripted.asked.load(Ordering::SeqCst)
    }

    /// What comes of a token that is good for two days.
    async fn verify(&self, pair: &KeyPair, kid: &str, issuer: &str) -> Result<(), Refusal> {
        self.rights(pair, kid, issuer).await.map(drop)
    }

    /// What such a token grants.
    async fn rights(
        &self,
        pair: &KeyPair,
        kid: &str,
        issuer: &str,
    ) -> Result<Arc<Rights>, Refusal> {
        let key = SigningKey::from_pem(pair.serialize_pem().as_bytes(), Algorithm::ES256);
        let seconds = BEGIN_MS / 1000 + self.begin.elapsed().as_secs() + 2 * 86_400;
        let claims = json!({
            "iss": issuer, "aud": HUB, "exp": seconds, "tidings": { "subscribe": ["**"] },
        });
        let Value::Object(claims) = claims else {
            unreachable!()
        };
        let token = key.expect("a key").mint(&claims, "JWT", Some(kid));
        self.keyring.verify(&token.expect("a token")).await
    }
}

fn pair() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// A document with these keys.
fn document(keys: &[(&str, &KeyPair)]) -> Server {
    let jwk = |(kid, pair): &(&str, &KeyPair)| {
        // Uncompressed: 4, x, y.
        let point = pair.der_bytes();
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": part(1..33), "y": part(33..65) })
    };
    let keys: Vec<Value> = keys.iter().map(jwk).collect();
    Server::Answers(json!({ "keys": keys }).to_string())
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn f27_documents_are_fetched_at_start_and_when_they_are_old() {
    let pair = pair();
    let world = World::new(document(&[("1", &pair)]));
    pass(SECOND).await;
    assert_eq!(world.asked(), 1);
    for _ in 0..100 {
        assert_eq!(world.verify(&pair, "1", ISSUER).await, Ok(()));
    }
    pass(590 * SECOND).await;
    assert_eq!(world.asked(), 1);
    pass(20 * SECOND).await;
    assert_eq!(world.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn f27_a_key_that_is_new_is_found_by_its_first_token() {
    let (old, new) = (pair(), pair());
    let world = World::new(document(&[("1", &old)]));
    pass(60 * SECOND).await;
    world.answers(document(&[("2", &new)]));
    assert_eq!(world.verify(&old, "1", ISSUER).await, Ok(()));
    // At once, and together: one request is enough for all.
    let all = (0..100).map(|_| world.verify(&new, "2", ISSUER));
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(world.asked(), 2);
    let gone = world.verify(&old, "1", ISSUER).await;
    assert_eq!(gone, Err(Refusal::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn f27_an_attackers_token_leads_to_no_request() {
    let (own, evil) = (pair(), pair());
    let world = World::new(document(&[("1", &own)]));
    pass(60 * SECOND).await;
    for n in 0..100 {
        let elsewhere = world
            .verify(&evil, "1", &format!("https://{n}.evil.example"))
            .await;
        assert_eq!(elsewhere, Err(Refusal::UnknownIssuer));
        let forged = world.verify(&evil, "1", ISSUER).await;
        assert_eq!(forged, Err(Refusal::Signature));
    }
    assert_eq!(world.asked(), 1);
    // Who names keys that don't exist causes a request in half a minute.
    for n in 0..100 {
        let unknown = world.verify(&evil, &format!("x{n}"), ISSUER).await;
        assert_eq!(unknown, Err(Refusal::UnknownKey));
    }
    assert_eq!(world.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn f27_keys_outlive_a_server_that_fails_but_not_for_ever() {
    for failure in [
        Server::Refuses,
        Server::Hangs,
        Server::Answers("<html>".to_owned()),
        Server::Answers("{\"keys\":{}}".to_owned()),
    ] {
        let pair = pair();
        let world = World::new(document(&[("1", &pair)]));
        pass(SECOND).await;
        world.answers(failure);
        pass(23 * 3600 * SECOND).await;
        assert_eq!(world.verify(&pair, "1", ISSUER).await, Ok(()));
        pass(2 * 3600 * SECOND).await;
        let forgotten = world.verify(&pair, "1", ISSUER).await;
        assert_eq!(forgotten, Err(Refusal::KeysUnavailable));
        world.answers(document(&[("1", &pair)]));
        pass(60 * SECOND).await;
        assert_eq!(world.verify(&pair, "1", ISSUER).await, Ok(()));
    }
}

/// A token isn't refused for good because its keys can't be had now; nobody
/// waits longer than a fetch may take.
#[tokio::test(start_paused = true)]
async fn f27_a_server_that_hangs_at_start() {
    let pair = pair();
    let world = World::new(Server::Hangs);
    for _ in 0..3 {
        let asked = Instant::now();
        let refused = world.verify(&pair, "1", ISSUER).await;
        assert_eq!(refused, Err(Refusal::KeysUnavailable));
        assert!(asked.elapsed() <= Duration::from_millis(FLIGHT_MS));
    }
    assert_eq!(world.asked(), 1);
    world.answers(document(&[("1", &pair)]));
    pass(60 * SECOND).await;
    assert_eq!(world.verify(&pair, "1", ISSUER).await, Ok(()));
}

/// What was granted under a key ends with it, and not before that is known.
#[tokio::test(start_paused = true)]
async fn a11_rights_end_with_their_key() {
    let (old, new) = (pair(), pair());
    let world = World::new(document(&[("1", &old)]));
    let rights = world.rights(&old, "1", ISSUER).await.expect("rights");
    let mut changes = world.keyring.changes();
    world.answers(document(&[("1", &old), ("2", &new)]));
    pass(700 * SECOND).await;
    assert!(changes.has_changed().expect("a keyring"));
    assert!(world.keyring.vouches(&rights));
    for (failure, known) in [(Server::Refuses, true), (document(&[("2", &new)]), false)] {
        changes.mark_unchanged();
        world.answers(failure);
        pass(700 * SECOND).await;
        assert!(changes.has_changed().expect("a keyring"));
        assert_eq!(world.keyring.vouches(&rights), known);
    }
    // A hub that has just started doesn't know yet.
    let started = World::new(Server::Refuses);
    pass(SECOND).await;
    assert!(started.keyring.vouches(&rights));
}

/// Whoever watches under a key that goes is told to come back; others stay.
#[tokio::test(start_paused = true)]
async fn a11_streams_end_with_their_key() {
    let (old, new) = (pair(), pair());
    let world = World::new(document(&[("1", &old), ("2", &new)]));
    let base = Base::new(HUB).expect("a URL");
    let settings = Settings {
        keyring: Some(Arc::clone(&world.keyring)),
        ..Settings::open(base)
    };
    let auth = Auth::new(settings, Kept::open(None).expect("no files"));
    let stream = async |pair: &KeyPair, kid: &str| {
        let rights = world.rights(pair, kid, ISSUER).await.expect("rights");
        let wish = Wish {
            face: Face::Native,
            selection: Selection::new(vec![Selector::new("a/*").expect("a pattern")]),
            connection: None,
            lifetime: None,
        };
        let admitted = auth.stand(&Who::Holder(rights), wish).expect("a stream");
        admitted.standing.expect("a standing")
    };
    let (first, second) = (stream(&old, "1").await, stream(&new, "2").await);
    pass(700 * SECOND).await;
    assert_eq!((first.over(now()), second.over(now())), (None, None));
    world.answers(document(&[("2", &new)]));
    pass(700 * SECOND).await;
    assert_eq!(first.over(now()), Some(Over::Rights));
    assert_eq!(second.over(now()), None);
}

/// Files are read again, all or none, and what was fetched stays.
#[tokio::test(start_paused = true)]
async fn f27_key_files_rotate() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("key.pem");
    let (old, new, fetched) = (pair(), pair(), pair());
    std::fs::write(&file, old.public_key_pem()).expect("a file");
    let world = World::new(document(&[("1", &fetched)]));
    let mut auth = world.keyring.auth.clone();
    let mut key = auth.keys[0].clone();
    key.material = config::Material::PemFile(file.clone());
    key.issuer = Some(config::Name("https://file.example".to_owned()));
    auth.keys.push(key);
    let keys = Keys::read(&auth).expect("keys");
    let begin = world.begin;
    let clock = move || Timestamp(BEGIN_MS + begin.elapsed().as_millis() as u64);
    let fetcher = Fetcher::over(world.scripted.clone());
    let base = Base::new(HUB).expect("a URL");
    let world = World {
        keyring: Keyring::with(&auth, keys, &base, fetcher, clock),
        ..world
    };
    pass(SECOND).await;
    let check = async |pair: &KeyPair, good: bool| {
        let verdict = world.verify(pair, "2", "https://file.example").await;
        assert_eq!(verdict.is_ok(), good, "{verdict:?}");
    };
    check(&old, true).await;
    check(&new, false).await;
    for bad in ["", "garbage", &new.serialize_pem()] {
        std::fs::write(&file, bad).expect("a file");
        let errors = world.keyring.reload().expect_err("a file that is no key");
        let text = errors.to_string();
        assert!(text.starts_with("auth.keys: key 2, pem_file "), "{text}");
        assert!(text.contains("key.pem: "), "{text}");
        check(&old, true).await;
    }
    std::fs::write(&file, new.public_key_pem()).expect("a file");
    assert_eq!(world.keyring.reload().expect("a key"), Vec::<String>::new());
    check(&new, true).await;
    check(&old, false).await;
    let asked = world.asked();
    assert_eq!(world.verify(&fetched, "1", ISSUER).await, Ok(()));
    assert_eq!(world.asked(), asked);
}

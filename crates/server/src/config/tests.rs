use super::*;
use std::net::SocketAddr;
use std::time::Duration;
use tidings_engine::SlowPolicy;

pub(super) fn load_with(
    file: Option<&str>,
    environment: &[(&str, &str)],
    flags: &[Flag],
) -> Result<Config, ConfigErrors> {
    let file = file.map(|text| File {
        name: "tidings.toml".to_owned(),
        text: text.to_owned(),
    });
    let environment = environment
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    Config::load(file.as_ref(), environment, flags)
}

/// The error lines that `text` gives.
pub(super) fn errors(text: &str) -> Vec<String> {
    match load_with(Some(text), &[], &[]) {
        Ok(_) => Vec::new(),
        Err(ConfigErrors(errors)) => errors.iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
pub(super) fn check_error(text: &str, expected: &str) {
    assert_eq!(errors(text).join("\n"), expected, "{text}");
}

#[track_caller]
pub(super) fn check_env_error(name: &str, value: &str, expected: &str) {
    let error = load_with(None, &[(name, value)], &[]).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn no_source_gives_the_default() {
    let config = load_with(None, &[], &[]).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(
        config.listen,
        ["127.0.0.1:8080".parse::<SocketAddr>().unwrap()]
    );
    assert_eq!(config.stream.heartbeat, Duration::from_secs(15));
    assert_eq!(config.limits.tail_bytes, ByteSize(32 << 20));
    assert_eq!(config.retention.bytes, Limit::AtMost(ByteSize(1 << 30)));
    assert!(Config::default().check().is_ok());
}

#[test]
fn the_printed_default_is_the_default() {
    let printed = default_toml();
    assert_eq!(
        load_with(Some(&printed), &[], &[]).unwrap(),
        Config::default()
    );
    for key in settings::keys() {
        let is_array = matches!(key.name, "topics" | "keys");
        assert!(printed.contains(&format!("{} = ", key.name)) || is_array);
        assert!(!key.doc.is_empty(), "{} has no description", key.path);
    }
    // The commented examples are ones that work.
    let mut uncommented = String::new();
    for (n, part) in printed.split("\n# [[").enumerate() {
        let (example, after) = match n {
            0 => ("", part),
            _ => part.split_once("\n\n").unwrap_or((part, "")),
        };
        if n > 0 {
            uncommented += &format!("\n[[{}\n\n", example.replace("\n# ", "\n"));
        }
        uncommented += after;
    }
    let with_topics = load_with(Some(&uncommented), &[], &[]).unwrap();
    assert_eq!(with_topics.retention.topics.len(), 1);
    assert_eq!(with_topics.stream.topics[0].slow, Some(SlowPolicy::Latest));
    assert_eq!(
        with_topics.retention.topics[0].age,
        Some(Limit::AtMost(Duration::from_secs(30 * 86_400)))
    );
}

/// Every setting can be said in each of the three places; what is written is
/// what was read.
#[test]
fn every_setting_is_read_from_file_and_environment() {
    for key in settings::keys() {
        let value = match key.path {
            "listen" | "tls.listen" => "127.0.0.1:1",
            "public_url" => "https://hub.example/below",
            "auth.anonymous" => "news/**,weather",
            "auth.audiences" | "auth.cookies" => "another",
            "auth.origins" => "https://a.example",
            "auth.keys" => {
                r#"[{ algorithms = ["HS256", "HS512"], secret_file = "f", legacy = true, roles = ["publish"] }]"#
            }
            "mercure.anonymous" | "mercure.subscriptions" => "true",
            "tls.certificate" | "tls.key" => "elsewhere.pem",
            "data" => "elsewhere",
            "store" => "memory",
            "open" => "true",
            "hosts" => "a.example,b.example:81",
            "cors.origins" => "https://a.example,http://b.example:81",
            "log.format" => "json",
            "log.level" => "debug",
            "retention.topics" => r#"[{ selector = "a/**", bytes = "1GiB", events = 7 }]"#,
            "stream.heartbeat" | "stream.retry" => "44s",
            "publish.idempotency_count" | "retention.events" => "78",
            "stream.slow" => "gap",
            "presence.topics" => "rooms/*",
            "presence.list" => "78",
            "stream.topics" => r#"[{ selector = "a/**", slow = "latest" }]"#,
            "limits.subscriptions" | "limits.selectors_per_subscription" => "78",
            "limits.connections" | "limits.publish_bodies" => "78",
            "limits.subscriptions_per_address" => "none",
            "limits.lag" => "31MiB",
            "limits.batch_events" => "78",
            "limits.event_data_bytes" => "900KiB",
            "limits.query_bytes" => "50KiB",
            "limits.event_wire_bytes" => "1500KiB",
            "limits.memory_bytes" => "8GiB",
            path if path.ends_with("bytes") => "31MiB",
            _ => "61s",
        };
        // Those of [tls] go together only.
        let tls: Vec<(String, &str)> = settings::keys()
            .filter(|other| key.section == "tls" && other.section == "tls")
            .filter(|other| other.path != key.path)
            .map(|other| (other.variable(), "127.0.0.1:2"))
            .collect();
        let mut others: Vec<(&str, &str)> = tls.iter().map(|(n, v)| (&n[..], *v)).collect();
        let without = others.clone();
        let variable = key.variable();
        others.push((&variable, value));
        let from_env = load_with(None, &others, &[]).unwrap();
        assert_ne!(from_env, Config::default(), "{} has no effect", key.path);
        let toml = (key.show)(&from_env);
        let text = match key.section {
            "" => format!("{} = {toml}", key.name),
            section => format!("[{section}]\n{} = {toml}", key.name),
        };
        assert_eq!(
            load_with(Some(&text), &without, &[]).unwrap(),
            from_env,
            "{text}"
        );
    }
}

#[test]
fn variables_are_distinct_and_none_is_passed_over() {
    let mut names: Vec<String> = settings::keys().map(Key::variable).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    for name in names {
        let error = load_with(None, &[(&name, "\u{1}")], &[]).map(drop);
        // Only a path may hold such a character.
        assert_eq!(error.is_ok(), name == "TIDINGS_DATA", "{name} is ignored");
    }
}

#[test]
fn flags_go_before_environment_before_file() {
    let file = "listen = \"127.0.0.1:1\"\ndata = \"of the file\"\n[stream]\nretry = \"1s\"\n";
    let environment = [
        ("TIDINGS_LISTEN", "127.0.0.1:2"),
        ("TIDINGS_DATA", "of env"),
    ];
    let flags = [Flag {
        name: "--listen",
        key: "listen",
        value: "127.0.0.1:3,[::1]:4".to_owned(),
    }];
    let config = load_with(Some(file), &environment, &flags).unwrap();
    let listen: Vec<String> = config.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["127.0.0.1:3", "[::1]:4"]);
    assert_eq!(config.data.to_str(), Some("of env"));
    assert_eq!(config.stream.retry, Duration::from_secs(1));
}

#[test]
fn a_single_value_stands_for_a_list_of_one() {
    let config = load_with(Some("listen = \"127.0.0.1:1\"\nhosts = \"a\""), &[], &[]).unwrap();
    assert_eq!((config.listen.len(), config.hosts.len()), (1, 1));
}

#[test]
fn e1_unknown_key() {
    check_error(
        "[stream]\nretri = \"2s\"\n",
        "tidings.toml:2:1: unknown key \"retri\" in [stream]; did you mean \"retry\"?",
    );
    check_error(
        "\n  lisen = 1",
        "tidings.toml:2:3: unknown key \"lisen\" at the top of the file; did you mean \"listen\"?",
    );
    check_error(
        "[strem]\nretry = 1",
        "tidings.toml:1:2: unknown key \"strem\" at the top of the file; did you mean \"stream\"?",
    );
    check_error(
        "[log]\nheartbeat = \"1s\"",
        "tidings.toml:2:1: unknown key \"heartbeat\" in [log]; \"heartbeat\" stands in [stream]",
    );
    check_error(
        "xyz = 1",
        "tidings.toml:1:1: unknown key \"xyz\" at the top of the file; the nearest is \"log\"",
    );
    check_error(
        "[[retention.topics]]\nselector = \"a\"\nages = \"1d\"",
        "tidings.toml:3:1: unknown key \"ages\" in [[retention.topics]]; did you mean \"age\"?",
    );
    check_error(
        "[[stream.topics]]\nselector = \"a\"\nslows = \"gap\"",
        "tidings.toml:3:1: unknown key \"slows\" in [[stream.topics]]; did you mean \"slow\"?",
    );
}

#[test]
fn e1_duplicate_key() {
    check_error(
        "data = \"a\"\ndata = \"b\"",
        "tidings.toml:2:1: duplicate key",
    );
    check_error("[log]\n[log]", "tidings.toml:2:2: duplicate key");
}

#[test]
fn e1_syntax_error_does_not_echo_the_line() {
    let errors = errors("data = \"hunter2\nopen = true");
    assert!(errors[0].starts_with("tidings.toml:1:16: "), "{errors:?}");
    assert!(!errors.concat().contains("hunter2"), "{errors:?}");
}

#[test]
fn e1_wrong_type() {
    check_error(
        "open = \"true\"",
        "tidings.toml:1:8: expected true or false, found a string",
    );
    check_error(
        "[limits]\nbatch_events = \"1000\"",
        "tidings.toml:2:16: expected a whole number, found a string",
    );
    check_error(
        "[limits]\nbatch_events = 1e3",
        "tidings.toml:2:16: expected a whole number, found a float",
    );
    check_error(
        "stream = 1",
        "tidings.toml:1:10: expected a table, [stream]",
    );
    check_error("[data]", "tidings.toml:1:1: expected a path, found a table");
    check_error(
        "listen = [\"127.0.0.1:1\", 2]",
        "tidings.toml:1:26: expected an IP address and a port, such as \"127.0.0.1:8080\", found \
         an integer",
    );
    check_error(
        "store = \"disc\"",
        "tidings.toml:1:9: expected \"disk\" or \"memory\"; did you mean \"disk\"?",
    );
    check_error(
        "listen = \"localhost:8080\"",
        "tidings.toml:1:10: expected an IP address and a port, such as \"127.0.0.1:8080\"",
    );
    check_error(
        "[retention]\ntopics = [{ selector = \"a/**/b\", age = \"1d\" }]",
        "tidings.toml:2:24: '**' can only be the last segment",
    );
    check_error(
        "[[stream.topics]]\nselector = \"a\"\nslow = \"latets\"",
        "tidings.toml:3:8: expected \"disconnect\", \"gap\" or \"latest\"; did you mean \"latest\"?",
    );
    check_error(
        "[[stream.topics]]\nselector = \"a\"",
        "tidings.toml:1:1: nothing is said of these topics: write slow",
    );
    check_error(
        "[[stream.topics]]\nselector = 1\nslow = 2",
        "tidings.toml:2:12: expected a topic or pattern, such as \"orders/**\", found an integer\n\
         tidings.toml:3:8: expected \"disconnect\", \"gap\" or \"latest\", found an integer",
    );
    check_error(
        "[stream]\ntopics = [\"a\"]",
        "tidings.toml:2:11: expected a table such as { selector = \"cursors/*\", slow = \"latest\" }, \
         found a string",
    );
    check_error(
        "[[retention.topics]]\nage = \"1d\"",
        "tidings.toml:1:1: a \"selector\" is missing",
    );
    check_error(
        "[[retention.topics]]\nselector = \"a\"",
        "tidings.toml:1:1: no bound is given: write age, bytes or events",
    );
}

#[test]
fn e1_wrong_unit_negative_and_overflow() {
    let no_unit =
        "a number without a unit; write one behind it (ms, s, m, h, d, w), such as \"10s\"";
    let check = |value: &str, expected: &str| {
        check_error(
            &format!("[drain]\nwindow = {value}"),
            &format!("tidings.toml:2:10: {expected}"),
        );
    };
    check("\"10\"", no_unit);
    check("10", no_unit);
    check("-10", "it can't be negative");
    check("\"-10s\"", "it can't be negative");
    check(
        "\"10 apples\"",
        "unknown unit; the units are ms, s, m, h, d, w",
    );
    check("\"99999999999999999999s\"", "the number is too large");
    check("\"18446744073709551615d\"", "the number is too large");
    check("\"2h\"", "it must be from 0s to 1h");
    let check = |value: &str, expected: &str| {
        check_error(
            &format!("[retention]\nevents = {value}"),
            &format!("tidings.toml:2:10: {expected}"),
        );
    };
    check("-1", "it can't be negative");
    check("18446744073709551616", "the number is too large");
    check("\"many\"", "expected a whole number, found a string");
}

#[test]
fn e1_all_errors_at_once_in_the_order_of_the_file() {
    let errors = errors("open = 1\n[stream]\nx = 1\n[cors]\norigins = [\"*\", \"null\"]\n");
    let places: Vec<&str> = errors.iter().map(|e| &e[..e.find(": ").unwrap()]).collect();
    assert_eq!(
        places,
        [
            "tidings.toml:1:8",
            "tidings.toml:3:1",
            "tidings.toml:5:12",
            "tidings.toml:5:17"
        ]
    );
}

#[test]
fn e1_columns_count_characters() {
    check_error(
        "[cors]\norigins = [\"https://a\", \"ä\"] # ö",
        "tidings.toml:2:25: expected an origin, such as \"https://app.example\"",
    );
    check_error(
        "# ö\nhosts = [\"ä b\", \"c\", 1]",
        "tidings.toml:2:10: expected a host name, such as \"hub.example\" or \
         \"hub.example:8443\"\ntidings.toml:2:22: expected a host name, such as \"hub.example\" \
         or \"hub.example:8443\", found an integer",
    );
}

#[test]
fn e1_long_or_hostile_names_are_cut_and_escaped() {
    let text = format!("\"\\u001b[31m{}\" = 1", "x".repeat(5000));
    let errors = errors(&text);
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].len() < 200 && !errors[0].contains('\u{1b}'),
        "{errors:?}"
    );
    assert_eq!(
        fault::quoted(&"a".repeat(65)),
        format!("\"{}…\"", "a".repeat(64))
    );
}

#[test]
fn e1_deep_nesting_is_an_error() {
    let text = format!("listen = {}{}", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(errors(&text).len(), 1);
}

#[test]
fn e1_unknown_variable() {
    check_env_error(
        "TIDINGS_STREAM_RETRI",
        "2s",
        "environment variable TIDINGS_STREAM_RETRI: there is no such setting; did you mean \
         \"TIDINGS_STREAM_RETRY\"?",
    );
    check_env_error(
        "TIDINGS_OPEN",
        "yes",
        "environment variable TIDINGS_OPEN: expected true or false",
    );
    check_env_error(
        "TIDINGS_STREAM_RETRY",
        "1ms",
        "environment variable TIDINGS_STREAM_RETRY: it must be from 100ms to 20m",
    );
    check_env_error(
        "TIDINGS_RETENTION_TOPICS",
        "orders/**",
        "environment variable TIDINGS_RETENTION_TOPICS: expected an array as TOML writes it, on \
         one line",
    );
}

/// A Kubernetes service of that name must not keep the hub from starting.
#[test]
fn variables_that_others_set_are_passed_over() {
    let environment = [
        ("TIDINGS_SERVICE_HOST", "10.0.0.1"),
        ("TIDINGS_SERVICE_PORT", "80"),
        ("TIDINGS_SERVICE_PORT_HTTP", "80"),
        ("TIDINGS_PORT", "tcp://10.0.0.1:80"),
        ("TIDINGS_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("TIDINGS_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("TIDINGS_CONFIG", "tidings.toml"),
        ("TIDINGS", "x"),
        ("PATH", "/bin"),
    ];
    assert_eq!(
        load_with(None, &environment, &[]).unwrap(),
        Config::default()
    );
    assert!(load_with(None, &[("TIDINGS_PORT_NAME", "x")], &[]).is_err());
}

#[cfg(unix)]
#[test]
fn e2_variable_that_is_not_utf8() {
    use std::os::unix::ffi::OsStringExt;
    let broken = || OsString::from_vec(vec![b'/', 0xff]);
    let error = Config::load(None, [("TIDINGS_DATA".into(), broken())], &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "environment variable TIDINGS_DATA: its value isn't UTF-8"
    );
    let name = OsString::from_vec([b"TIDINGS_".as_slice(), &[0xff]].concat());
    assert!(Config::load(None, [(name, "x".into())], &[]).is_err());
    assert!(Config::load(None, [("OTHER".into(), broken())], &[]).is_ok());
}

#[test]
fn e4_insecure_switches_are_warned_of() {
    let warnings = |text: &str| load_with(Some(text), &[], &[]).unwrap().warnings();
    assert_eq!(warnings(""), Vec::<String>::new());
    assert_eq!(
        warnings("listen = \"0.0.0.0:8080\"\nopen = true"),
        [
            "open = true on 0.0.0.0:8080: everyone who reaches this hub can publish and watch \
          everything"
        ]
    );
    assert_eq!(warnings("open = true").len(), 1);
    assert_eq!(warnings("store = \"memory\"").len(), 1);
    let slow = "[stream]\nheartbeat = \"61s\"\nidle_timeout = \"2m\"";
    assert_eq!(warnings(slow).len(), 1);
    assert_eq!(
        warnings("[retention]\nage = \"none\"\nbytes = \"none\"").len(),
        1
    );
}

#[test]
fn e4_every_origin_can_not_be_allowed() {
    let errors = errors("[cors]\norigins = \"*\"");
    assert!(
        errors[0].contains("list the origins one by one"),
        "{errors:?}"
    );
}

#[test]
fn an_exposed_address_needs_open() {
    for address in ["0.0.0.0:8080", "[::]:80", "192.0.2.1:80"] {
        let file = format!("listen = [\"127.0.0.1:1\", \"{address}\"]");
        let errors = errors(&file);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].starts_with("tidings.toml:1:10: "), "{errors:?}");
        assert!(errors[0].contains("open = true (--open)"), "{errors:?}");
        let open = [("TIDINGS_OPEN", "true")];
        assert!(load_with(Some(&file), &open, &[]).is_ok());
    }
    assert!(load_with(Some("listen = [\"[::1]:80\", \"127.9.9.9:0\"]"), &[], &[]).is_ok());
    assert_eq!(errors("listen = []").len(), 1);
}

#[test]
fn e8_inconsistent_limits_show_the_arithmetic() {
    check_error(
        "[limits]\nevent_data_bytes = \"2MiB\"",
        "limits.event_wire_bytes: event_wire_bytes 2097152 has no room for one event of one line: \
         event_data_bytes 2097152 + 7 for the line + 448 for id, type and retry = 2097607; raise \
         event_wire_bytes",
    );
    check_error(
        "[limits]\ntail_bytes = \"1MiB\"",
        "tidings.toml:2:14: tail_bytes 1048576 has no room for one event: event_wire_bytes = \
         2097152; raise tail_bytes",
    );
    check_error(
        "[stream]\nheartbeat = \"1m\"",
        "tidings.toml:2:13: heartbeat 60000 ms must be more than 0 and less than idle_timeout \
         45000 ms, or quiet streams are given up between two heartbeats",
    );
    let memory = errors("[limits]\nmemory_bytes = \"64MiB\"");
    assert!(
        memory[0].starts_with("tidings.toml:2:16: at worst "),
        "{memory:?}"
    );
    check_error(
        "[retention]\nbytes = \"1000kB\"",
        "tidings.toml:2:9: 1MB can't hold one event of limits.event_wire_bytes = 2MiB",
    );
    let mut config = Config::default();
    config.limits.tail_bytes = ByteSize(1);
    assert!(config.check().is_err());
}

#[test]
fn files_that_can_not_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidings.toml");
    let check = |expected: &str| {
        let error = read_file(&path).unwrap_err().to_string();
        assert_eq!(error, format!("{}{expected}", path.display()));
    };
    check(": there is no such configuration file");
    std::fs::write(&path, b"open = true\n# \xc3\xa4 \xff").unwrap();
    check(":2:5: a byte that isn't UTF-8");
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    check(": the configuration file is larger than 1 MiB");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let error = read_file(&path).unwrap_err().to_string();
    assert!(error.contains("can't be read"), "{error}");
}

#[test]
fn e8_tls_is_given_whole_or_not_at_all() {
    let listen = "listen = \"127.0.0.1:8443\"\n";
    let (certificate, key) = ("certificate = \"c.pem\"\n", "key = \"k.pem\"\n");
    let check = |parts: &[&str], expected: &str| {
        let found = errors(&format!("[tls]\n{}", parts.concat()));
        assert_eq!(found.len(), usize::from(!expected.is_empty()), "{found:?}");
        assert!(found.join("").starts_with(expected), "{found:?}");
    };
    check(&[listen, certificate, key], "");
    check(&[], "");
    check(
        &[listen],
        "tls.certificate: the file of the certificate chain is missing",
    );
    check(
        &[listen, key],
        "tls.certificate: the file of the certificate chain is missing",
    );
    check(
        &[listen, certificate],
        "tls.key: the file of the certificate's private key is missing",
    );
    check(
        &[certificate],
        "tls.key: the file of the certificate's private key is missing",
    );
    check(
        &[certificate, key],
        "tls.listen: no address is given for HTTPS",
    );
    let taken = "listen = \"127.0.0.1:8080\"\n";
    check(
        &[taken, certificate, key],
        "tidings.toml:2:10: 127.0.0.1:8080 stands in listen too",
    );
    let open = "listen = \"0.0.0.0:8443\"\n";
    check(
        &[open, certificate, key],
        "tidings.toml:2:10: 0.0.0.0:8443 can be reached from other",
    );
}

//! The default configuration, as a file with comments.

use super::Config;
use super::settings::TABLES;
use std::fmt::Write as _;

const HEAD: &str = "\
# The configuration of a Tidings hub. Every key stands here with its default;
# a file needs only those that differ. Each can also be given in the environment,
# as TIDINGS_<TABLE>_<KEY> (at the top: TIDINGS_<KEY>; lists with commas between),
# which goes before the file, and some as flags, which go before both.
#
# Durations: 500ms, 15s, 10m, 2h, 7d. Sizes: 500B, 64kB, 64KiB, 10MB, 10MiB, 1GiB.
";

const RETENTION_TOPICS_EXAMPLE: &str = "\
# [[retention.topics]]
# selector = \"orders/**\"   # a topic, or a pattern: * one segment, ** the rest
# age = \"30d\"              # age and events are those of [retention] if not given
# bytes = \"500MiB\"
# events = \"none\"
";

const STREAM_TOPICS_EXAMPLE: &str = "\
# [[stream.topics]]
# selector = \"cursors/*\"   # as in [[retention.topics]]
# slow = \"latest\"
";

const AUTH_KEYS_EXAMPLE: &str = "\
# [[auth.keys]]
# algorithms = [\"ES256\"]             # that its tokens may be signed with
# pem_file = \"issuer.pem\"            # or pem, secret, secret_file, jwks_file, jwks_url
# issuer = \"https://id.example\"      # the iss it vouches for; without one, for all others
# key_id = \"2026\"                    # the kid that its tokens may name
# legacy = false                      # reads tokens as Mercure 0.x does
# roles = [\"publish\", \"subscribe\"]  # what its tokens may grant
";

/// The default configuration as TOML: it parses to [`Config::default`].
pub fn default_toml() -> String {
    let config = Config::default();
    let mut out = HEAD.to_owned();
    for (table, about, keys) in TABLES {
        match *table {
            "" => {}
            table => {
                let _ = write!(out, "\n# {about}\n[{table}]\n");
            }
        }
        for key in *keys {
            out.push('\n');
            for line in key.doc {
                let _ = writeln!(out, "#{line}");
            }
            if let Some((low, high)) = key.range {
                let _ = writeln!(out, "# From {low} to {high}.");
            }
            // A table array can't be written twice, so its default, which is
            // empty, would stand in the way of the first that somebody adds.
            match key.path {
                "retention.topics" => out.push_str(RETENTION_TOPICS_EXAMPLE),
                "auth.keys" => out.push_str(AUTH_KEYS_EXAMPLE),
                "stream.topics" => out.push_str(STREAM_TOPICS_EXAMPLE),
                _ => {
                    let _ = writeln!(out, "{} = {}", key.name, (key.show)(&config));
                }
            }
        }
    }
    out
}

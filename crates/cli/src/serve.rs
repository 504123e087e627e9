//! `tidings serve`.

use crate::args::ServeArgs;
use crate::{Failure, config, logging};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stdout};
use std::net::{Ipv4Addr, Ipv6Addr};
use tidings_server::config::{Config, StoreKind};
use tidings_server::{Address, ServeError};

/// Serves until a signal ends it.
pub fn run(args: &ServeArgs) -> Result<(), Failure> {
    let (config, _) = config::load(&args.file, &args.flags())?;
    logging::start(&config.log);
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let ready = |addresses: &[Address]| {
        let mut out = stdout();
        let mut text = first_line(addresses);
        if out.is_terminal() {
            text += &lines_to_copy(addresses, &config);
        }
        // A hub whose output nobody reads serves all the same.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    };
    tidings_server::serve(&config, ready).map_err(|error| match error {
        ServeError::Config(errors) => config::invalid(&errors),
        error => Failure::runtime(error),
    })
}

fn first_line(addresses: &[Address]) -> String {
    let urls: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    format!(
        "tidings {} listening on {}\n",
        env!("CARGO_PKG_VERSION"),
        urls.join(", ")
    )
}

/// What a newcomer does next.
fn lines_to_copy(addresses: &[Address], config: &Config) -> String {
    let Some(address) = addresses.first() else {
        return String::new();
    };
    // An unspecified address (0.0.0.0) is nowhere to connect to.
    let ip = address.socket.ip();
    let local = ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST;
    let base = match local {
        true => format!("{}://localhost:{}", address.scheme(), address.socket.port()),
        false => address.to_string(),
    };
    let history = match config.store {
        StoreKind::Disk => config.data.display().to_string(),
        StoreKind::Memory => "in memory, until the hub stops".to_owned(),
    };
    // Where tokens decide, the lines take one from the shell.
    let (token, ticket) = match config.has_keys() {
        true => (" -H \"Authorization: Bearer $TOKEN\"", "&ticket=..."),
        false => ("", ""),
    };
    let mut text = String::new();
    let _ = writeln!(text, "\n  start page  {base}/");
    if config.has_keys() {
        let _ = writeln!(text, "  token       tidings token mint --help");
    }
    let _ = writeln!(text, "  watch       curl -N{token} {base}/t/news");
    let _ = writeln!(text, "  publish     curl{token} -d hello {base}/t/news");
    let _ = writeln!(
        text,
        "  browser     new EventSource(\"{base}/t/news?since=10m{ticket}\")"
    );
    let _ = writeln!(text, "  history     {history}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(socket: &str, secure: bool) -> Address {
        let socket = socket.parse().unwrap();
        Address { socket, secure }
    }

    fn check(socket: &str, base: &str) {
        let secure = base.starts_with("https:");
        let text = lines_to_copy(&[address(socket, secure)], &Config::default());
        assert!(text.contains(&format!("curl -N {base}/t/news\n")), "{text}");
    }

    #[test]
    fn lines_to_copy_name_an_address_that_can_be_connected_to() {
        check("127.0.0.1:8080", "http://localhost:8080");
        check("[::1]:8080", "http://localhost:8080");
        check("127.0.0.2:80", "http://127.0.0.2:80");
        check("0.0.0.0:80", "http://localhost:80");
        check("192.0.2.1:81", "http://192.0.2.1:81");
        check("[2001:db8::1]:81", "http://[2001:db8::1]:81");
        check("127.0.0.1:8443", "https://localhost:8443");
    }

    #[test]
    fn the_first_line_has_every_address() {
        let addresses = [address("127.0.0.1:1", false), address("[::1]:2", true)];
        let line = first_line(&addresses);
        assert!(
            line.ends_with(" listening on http://127.0.0.1:1, https://[::1]:2\n"),
            "{line}"
        );
    }
}

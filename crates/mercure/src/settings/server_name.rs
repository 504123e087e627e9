//! `SERVER_NAME`: the addresses of a Caddy site.

use url::Url;

/// The public URL of the first address that names a host, and the port of the
/// first address. An address is `[scheme://]host[:port]`, with a scheme of
/// https unless the port is 80; or `:port`, which names no host.
pub(super) fn read(value: &str) -> Result<(Option<String>, Option<u16>), &'static str> {
    let addresses = value
        .split([',', ' ', '\n', '\t'])
        .filter(|text| !text.is_empty());
    let (mut public_url, mut first_port) = (None, None);
    for (n, address) in addresses.enumerate() {
        let (url, port) = address_parts(address)?;
        if n == 0 {
            first_port = Some(port);
        }
        if public_url.is_none() {
            public_url = url;
        }
    }
    Ok((public_url, first_port))
}

fn address_parts(address: &str) -> Result<(Option<String>, u16), &'static str> {
    const BAD: &str =
        "an address is not [http[s]://]host[:port] or :port; set 'public_url' instead";
    if let Some(port) = address.strip_prefix(':') {
        return port.parse().map(|port| (None, port)).map_err(|_| BAD);
    }
    if address.contains('{') {
        // A placeholder that nobody replaced.
        return Err(BAD);
    }
    let with_scheme = match address.contains("://") {
        true => address.to_owned(),
        false if address.ends_with(":80") => format!("http://{address}"),
        false => format!("https://{address}"),
    };
    let url = Url::parse(&with_scheme).map_err(|_| BAD)?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    let (true, Some(host), Some(port)) = (plain, url.host_str(), url.port_or_known_default())
    else {
        return Err(BAD);
    };
    // A wildcard is a certificate's, and no place one can go to.
    let text = url.as_str().trim_end_matches('/').to_owned();
    Ok(((!host.contains('*')).then_some(text), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (value, url, port) in [
            ("localhost", Some("https://localhost"), 443),
            (":80", None, 80),
            (":3000", None, 3000),
            ("http://localhost", Some("http://localhost"), 80),
            ("http://localhost:3000", Some("http://localhost:3000"), 3000),
            ("hub.example:80", Some("http://hub.example"), 80),
            ("hub.example:8443", Some("https://hub.example:8443"), 8443),
            (":80, hub.example", Some("https://hub.example"), 80),
            (
                "*.example.com, hub.example.com",
                Some("https://hub.example.com"),
                443,
            ),
        ] {
            assert_eq!(
                read(value),
                Ok((url.map(str::to_owned), Some(port))),
                "{value}"
            );
        }
        assert_eq!(read(""), Ok((None, None)));
        for value in [
            ":",
            ":http",
            ":99999",
            "https://",
            "ftp://a",
            "https://a/b",
            "a b://",
            "{$NAME}",
            "https://u@a",
        ] {
            assert!(read(value).is_err(), "{value}");
        }
    }
}

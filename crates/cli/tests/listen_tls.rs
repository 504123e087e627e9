//! `tidings listen` and `tidings publish` over TLS.

mod tool;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};
use tool::run;

/// Answers every connection with `answer`, as `localhost`; writes who that is
/// to `certificate`.
fn serve(answer: &'static str, certificate: &Path) -> u16 {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(certificate, own.cert.pem()).expect("a file");
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into());
    let config = Arc::new(config.expect("a certificate and its key"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(config.clone()).expect("a connection");
            let mut stream = StreamOwned::new(connection, socket);
            let mut head = [0; 4096];
            // Who doesn't trust this server says no more.
            if stream.read(&mut head).is_ok_and(|read| read > 0) {
                let _ = stream.write_all(answer.as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    port
}

#[test]
fn d18_only_a_server_that_is_trusted_is_talked_to() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("certificate.pem");
    let cacert = format!("--cacert={}", file.display());
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: secret\n\n";
    let port = serve(answer, &file);
    let named = format!("https://localhost:{port}/");
    let by_address = format!("https://127.0.0.1:{port}/");
    let args = ["--preset=once", "--format=data"];
    let trusted = run(&[&["listen", &named, &cacert][..], &args].concat(), b"");
    trusted.check(0, &[]);
    assert_eq!(trusted.stdout, "secret\n");
    for untrusted in [&["listen", &named][..], &["listen", &by_address, &cacert]] {
        let ended = run(&[untrusted, &args].concat(), b"");
        ended.check(6, &["the TLS handshake failed"]);
        assert_eq!(ended.stdout, "");
    }
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"id\":\"td\"}";
    let port = serve(answer, &file);
    let url = format!("https://localhost:{port}/");
    let published = run(&["publish", &url, "x", &cacert], b"");
    published.check(0, &[]);
    assert_eq!(published.stdout, "td\n");
    run(&["publish", &url, "x"], b"").check(6, &["the TLS handshake failed"]);
    std::fs::write(&file, "no certificate").expect("a file");
    run(&["listen", &url, &cacert], b"").check(2, &["--cacert: "]);
}

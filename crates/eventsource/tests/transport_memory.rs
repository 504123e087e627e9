//! How much memory a compressed body takes: the allocator of this process counts.
#![cfg(feature = "hyper")]

use async_compression::Level;
use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use futures_util::StreamExt;
use http::{HeaderMap, Method};
use tidings_eventsource::protocol::Request;
use tidings_eventsource::transport::{Hyper, Transport};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

const MIB: usize = 1 << 20;
const BOMB: usize = 64 * MIB;

/// 64 MiB of nothing, compressed.
async fn bomb(coding: &str) -> Vec<u8> {
    let bytes = match coding {
        "gzip" => fill(GzipEncoder::new(Vec::new())).await.into_inner(),
        "br" => fill(BrotliEncoder::with_quality(Vec::new(), Level::Fastest))
            .await
            .into_inner(),
        _ => fill(ZstdEncoder::new(Vec::new())).await.into_inner(),
    };
    assert!(bytes.len() < 100_000, "{coding}: {}", bytes.len());
    bytes
}

async fn fill<E: AsyncWrite + Unpin>(mut encoder: E) -> E {
    let zeros = vec![0; MIB];
    for _ in 0..BOMB / MIB {
        encoder.write_all(&zeros).await.expect("memory");
    }
    encoder.shutdown().await.expect("memory");
    encoder
}

/// Answers one request with `body`.
async fn serve(coding: &str, body: Vec<u8>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = [0; 4096];
        let read = stream.read(&mut request).await.expect("a request");
        assert!(request[..read].ends_with(b"\r\n\r\n"), "a small one");
        stream.write_all(head.as_bytes()).await.expect("a reader");
        stream.write_all(&body).await.expect("a reader");
    });
    Url::parse(&format!("http://{address}/")).expect("a URL")
}

/// Reads a bomb that was compressed with `coding`: no more is allocated at any
/// time than the window of the coding and 512 KiB.
fn check(coding: &str, window: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let transport = Hyper::builder().no_proxy().build();
    let request = runtime.block_on(async {
        Request {
            method: Method::GET,
            url: serve(coding, bomb(coding).await).await,
            headers: HeaderMap::new(),
            body: None,
            cookies: false,
        }
    });
    let allocated = allocation_counter::measure(|| {
        let read = runtime.block_on(async {
            let mut body = transport.send(request).await.expect("a response").body;
            let mut read = 0;
            while let Some(piece) = body.next().await {
                read += piece.expect("no error").len();
            }
            read
        });
        assert_eq!(read, BOMB, "{coding}");
    });
    println!("{coding}: {} KiB at the peak", allocated.bytes_max / 1024);
    let bound = window + MIB / 2;
    assert!(
        allocated.bytes_max < bound as u64,
        "{coding}: {allocated:?}"
    );
}

#[test]
fn d13_a_bomb_takes_the_memory_of_its_window() {
    check("gzip", 32 * 1024);
    check("br", 16 * MIB);
    // What the library for it allocates in C isn't counted: it has a bound of
    // its own, which is tested by a frame that asks for more.
    check("zstd", 0);
}

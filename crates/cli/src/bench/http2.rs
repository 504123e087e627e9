//! Subscribers over HTTP/2 without TLS: many streams on few connections.

use super::Run;
use super::receive::{Content, Fault};
use super::subscribers::source;
use super::tally::{Received, Tally};
use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::task::LocalSet;

/// What the server may send ahead, in bytes: on a stream, on a connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;
/// How often it is looked whether the run is over.
const TICK: Duration = Duration::from_millis(50);

/// Subscribes and reads until the run is over.
///
/// # Errors
/// What the system says.
pub fn read(run: &Arc<Run>, streams: usize) -> Result<Tally, String> {
    let tally = Rc::new(RefCell::new(run.tally()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    let local = LocalSet::new();
    for first in (0..run.connections).step_by(streams) {
        let indexes = first..(first + streams).min(run.connections);
        let (run, tally) = (Arc::clone(run), Rc::clone(&tally));
        local.spawn_local(async move {
            let requests = match connect(&run, first / streams).await {
                Ok(requests) => requests,
                Err(error) => return run.report_text(&error.to_string()),
            };
            for index in indexes {
                let (run, tally) = (Arc::clone(&run), Rc::clone(&tally));
                tokio::task::spawn_local(subscribe(run, requests.clone(), index, tally));
            }
        });
    }
    local.block_on(&runtime, async {
        while !run.over.load(Ordering::Relaxed) {
            tokio::time::sleep(TICK).await;
            run.delivered
                .store(tally.borrow().deliveries, Ordering::Relaxed);
        }
    });
    drop(local);
    Rc::try_unwrap(tally)
        .map(RefCell::into_inner)
        .map_err(|_| "a stream outlives the run".to_owned())
}

async fn connect(
    run: &Run,
    index: usize,
) -> Result<SendRequest<Bytes>, Box<dyn std::error::Error>> {
    let address = run.subscribe.address;
    let socket = match address.is_ipv4() {
        true => TcpSocket::new_v4()?,
        false => TcpSocket::new_v6()?,
    };
    if let Some(source) = source(address, index) {
        socket.bind(source)?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    let (requests, connection) = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(stream)
        .await?;
    tokio::task::spawn_local(async move {
        // Its streams say that they have ended.
        let _ = connection.await;
    });
    Ok(requests)
}

async fn subscribe(
    run: Arc<Run>,
    requests: SendRequest<Bytes>,
    index: usize,
    tally: Rc<RefCell<Tally>>,
) {
    let topic = index as u64 % run.spread.topics;
    let content = Content::new(Received::new(run.spread, topic));
    match stream(&run, requests, topic, content, &tally).await {
        Ok(fault) => run.report(&fault),
        Err(error) => run.report_text(&error.to_string()),
    }
}

/// Reads one stream to its end.
async fn stream(
    run: &Run,
    requests: SendRequest<Bytes>,
    topic: u64,
    mut content: Content,
    tally: &RefCell<Tally>,
) -> Result<Fault, Box<dyn std::error::Error>> {
    let target = &run.subscribe;
    let mut request = Request::get(format!("http://{}{}", target.host, target.path(topic)))
        .header("accept", "text/event-stream")
        .header("cache-control", "no-cache");
    for (name, value) in &run.headers {
        request = request.header(name, value);
    }
    if let Some(id) = run.resume_from.get() {
        request = request.header("last-event-id", id);
    }
    let mut requests = requests.ready().await?;
    let (response, _) = requests.send_request(request.body(())?, true)?;
    let response = response.await?;
    if response.status() != 200 {
        return Ok(Fault::Status(response.status().as_u16()));
    }
    run.open.fetch_add(1, Ordering::Relaxed);
    let mut body = response.into_body();
    let ended = async {
        while let Some(bytes) = body.data().await.transpose()? {
            let mut tally = tally.borrow_mut();
            tally.bytes += bytes.len() as u64;
            content.take(&bytes, run.now(), &run.payload, &mut tally);
            body.flow_control().release_capacity(bytes.len())?;
        }
        Ok(Fault::Ended)
    }
    .await;
    run.open.fetch_sub(1, Ordering::Relaxed);
    ended
}

//! The control service: `GET /` says what it can, `POST /` opens a stream,
//! `POST` to where the stream is gives it a command, `DELETE` closes it, and
//! `DELETE /` ends the service.

mod callback;
mod control;
mod parameters;
mod stream;

use control::Service;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serves until it is asked to end, then closes every stream.
pub async fn serve(listener: TcpListener) {
    let service = Arc::new(Service::default());
    loop {
        let socket = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => socket,
                Err(error) => {
                    // Such as too few descriptors: others may become free.
                    eprintln!("contract_service: can't accept: {error}");
                    tokio::task::yield_now().await;
                    continue;
                }
            },
            () = service.ended() => return,
        };
        let service = service.clone();
        tokio::spawn(async move {
            let answer =
                service_fn(|request| async { Ok::<_, Infallible>(service.answer(request).await) });
            // A suite that hangs up is no error of ours.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(socket), answer)
                .await;
            service.end_if_asked();
        });
    }
}

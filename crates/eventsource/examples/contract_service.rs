//! Lets a contract suite drive this crate's client: it serves the HTTP control
//! protocol of such suites on `PORT` (8000), and reports what the client sees.
//!
//! ```sh
//! PORT=8000 cargo run -p tidings-eventsource --example contract_service
//! ```

#[path = "contract_service/mod.rs"]
mod contract_service;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8000".to_owned());
    let Ok(port) = port.parse::<u16>() else {
        eprintln!("contract_service: PORT has to be a number from 0 to 65535");
        return ExitCode::from(2);
    };
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("contract_service: can't listen on 127.0.0.1:{port}: {error}");
            return ExitCode::FAILURE;
        }
    };
    match listener.local_addr() {
        Ok(address) => println!("listening on http://{address}"),
        Err(error) => eprintln!("contract_service: {error}"),
    }
    contract_service::serve(listener).await;
    ExitCode::SUCCESS
}

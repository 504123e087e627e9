//! A list that is shared, and who is looking at it:
//!
//! ```sh
//! cargo run -p people
//! curl -N http://localhost:3000/connect
//! curl -d name=Ada http://localhost:3000/addPerson
//! ```

mod add;
mod connect;
mod shown;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use shown::App;
use std::error::Error;
use std::time::Duration;
use tidings_server::Hub;
use tokio::net::TcpListener;
use tower_http::cors::CorsLayer;
use tower_http::services::ServeDir;

/// The page, as `npm run build` has made it.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/page/dist");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut addresses = std::env::args().skip(1);
    let mut address = |default: &str| addresses.next().unwrap_or_else(|| default.to_owned());
    let listener = TcpListener::bind(address("127.0.0.1:3000")).await?;
    let page = TcpListener::bind(address("127.0.0.1:3001")).await?;
    let app_url = format!("http://localhost:{}", listener.local_addr()?.port());
    let page_url = format!("http://localhost:{}", page.local_addr()?.port());

    let hub = Hub::builder()
        .memory()
        .presence_grace(Duration::from_secs(5))
        .open()?;
    let app = App::new(hub.clone());
    let announce = connect::announce(app.clone());
    tokio::spawn(async {
        if let Err(error) = announce.await {
            eprintln!("who is connected is no longer told: {error}");
        }
    });

    // The page's own origin, and Vite's.
    let origins = [
        page_url.parse()?,
        HeaderValue::from_static("http://localhost:5173"),
    ];
    let routes = Router::new()
        .route("/connect", get(connect::connect))
        .route("/addPerson", post(add::add_person))
        .layer(middleware::from_fn_with_state(origins.clone(), only_from))
        .layer(cors(origins))
        .with_state(app);

    println!("the page is at {page_url}/?app={app_url} and the app at {app_url}");
    let files = Router::new().fallback_service(ServeDir::new(PAGE));
    tokio::spawn(async { axum::serve(page, files).await });
    axum::serve(listener, routes)
        .with_graceful_shutdown(async move {
            let _ = tokio::signal::ctrl_c().await;
            // Tells the streams to come back later, and ends them.
            hub.shutdown().await;
        })
        .await?;
    Ok(())
}

/// What browsers ask for before and with requests of another origin's page.
fn cors(origins: [HeaderValue; 2]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([CONTENT_TYPE])
}

/// A form of any page is sent without a preflight, and with the visitor's
/// cookies: CORS hides the answer from that page, but doesn't keep it from acting.
async fn only_from(
    State(origins): State<[HeaderValue; 2]>,
    request: Request,
    next: Next,
) -> Response {
    match request.headers().get(ORIGIN) {
        Some(origin) if !origins.contains(origin) => StatusCode::FORBIDDEN.into_response(),
        _ => next.run(request).await,
    }
}

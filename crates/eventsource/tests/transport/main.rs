//! The transports, over loopback against servers that do exactly what a test
//! says, byte by byte.
#![cfg(feature = "hyper")]

mod certificates;
mod coding;
mod cookies;
mod http1;
mod http2;
mod proxy;
mod reqwest;
mod stream;
mod support;
mod tls;

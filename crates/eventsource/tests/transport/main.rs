//! The transports, over loopback against servers that do exactly what a test
//! says, byte by byte.
#![cfg(feature = "hyper")]

mod http1;
mod support;

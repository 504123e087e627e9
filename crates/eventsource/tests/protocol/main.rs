//! The protocol, in virtual time and against a scripted server.

mod bad_input;
mod chaos;
mod cors;
mod model;
mod redirects;
mod rules;
mod silences;
mod table;
mod waits;
mod world;

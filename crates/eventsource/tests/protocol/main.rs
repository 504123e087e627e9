//! The protocol, in virtual time and against a scripted server.

mod rules;
mod world;

//! The contract service, driven as a contract suite would: one test for each
//! capability, and for each trap that clients are known to fall into.

mod connections;
#[path = "../../examples/contract_service/mod.rs"]
mod contract_service;
mod control;
mod grammar;
mod requests;
mod suite;

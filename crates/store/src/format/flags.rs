//! The flags of a record that say how an event was published and what it does, as
//! [`record`](super::record) has them.

use tidings_engine::{Kind, Visibility};

/// Where the visibility stands, in bits.
pub(super) const VISIBILITY_AT: u32 = 3;
/// Where the kind stands, in bits.
pub(super) const KIND_AT: u32 = 5;

pub(super) fn visibility_bits(visibility: Visibility) -> u8 {
    let number = match visibility {
        Visibility::Native => 0,
        Visibility::Public => 1,
        Visibility::Private => 2,
    };
    number << VISIBILITY_AT
}

pub(super) fn visibility_of(flags: u8) -> Option<Visibility> {
    match (flags >> VISIBILITY_AT) & 3 {
        0 => Some(Visibility::Native),
        1 => Some(Visibility::Public),
        2 => Some(Visibility::Private),
        _ => None,
    }
}

pub(super) fn kind_bits(kind: Kind) -> u8 {
    let number = match kind {
        Kind::Event => 0,
        Kind::Reopening => 1,
        Kind::End => 2,
    };
    number << KIND_AT
}

pub(super) fn kind_of(flags: u8) -> Option<Kind> {
    match (flags >> KIND_AT) & 3 {
        0 => Some(Kind::Event),
        1 => Some(Kind::Reopening),
        2 => Some(Kind::End),
        _ => None,
    }
}

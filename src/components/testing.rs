//! Profiles for the tests of this room.

use super::{Decided, Secrets};
use crate::profile::{AddressRange, Profile, Source, load};

/// The WAS image of [`decided`].
pub const WAS: &str = "hearth.dev/was:1";

/// Parses a profile.
pub fn profile(text: &str) -> Profile {
    load(&[Source::Stdin(text.to_owned())], &[]).expect("valid")
}

/// Profiles that together ask for every part of every component.
pub fn everything() -> Vec<Profile> {
    const PROFILES: [&str; 3] = [
        include_str!("../../profiles/quick.yaml"),
        include_str!("../../profiles/homelab.yaml"),
        include_str!("../../profiles/before-after.yaml"),
    ];
    PROFILES.map(profile).to_vec()
}

/// A profile whose gateway has the address 172.18.255.200.
pub fn decided(profile: &Profile) -> Decided {
    let pool = AddressRange { first: [172, 18, 255, 200].into(), last: [172, 18, 255, 220].into() };
    let secrets = Secrets::generate(profile).expect("keys can be made");
    Decided::new(profile, pool.first, pool, WAS, secrets)
}

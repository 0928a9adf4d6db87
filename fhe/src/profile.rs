//! How this process evaluates: pinned before any key work, so that the same job gives the same bytes in every process
//! of one profile, and named in the manifest of a result.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tfhe::core_crypto::fft_impl::fft64::math::fft::{FftAlgo, Method, Plan, setup_custom_fft_plan};

/// Threads that share one operation.
pub const THREADS: usize = 2;

/// Version of tfhe that this build evaluates with.
pub const TFHE_VERSION: &str = "1.8.2";

/// Points of the Fourier transform: half the polynomial size of both parameter sets.
const FFT_POINTS: usize = 1024;

/// What must agree for two workers to give the same bytes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Profile {
    pub tfhe_version: String,
    /// Parameter sets by name: network mode, then client mode.
    pub parameters: Vec<String>,
    pub fft_plan: String,
    pub threads: usize,
    /// The vector instructions that the transform uses.
    pub cpu_class: String,
}

impl Profile {
    /// SHA-256 of the profile's RFC 8785 form.
    ///
    /// # Panics
    /// Never: a profile is plain data.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(serde_json_canonicalizer::to_string(self).expect("a profile is plain data")).into()
    }
}

/// Fixes the plan of the Fourier transform and the number of threads. Everything in this room calls it before key work;
/// further calls change nothing.
pub fn pin() -> &'static Profile {
    static PROFILE: OnceLock<Profile> = OnceLock::new();
    PROFILE.get_or_init(|| {
        // Left alone, the plan is the one that is fastest in a measurement at the first use, and another plan rounds otherwise.
        let method = Method::UserProvided { base_algo: FftAlgo::Dif4, base_n: FFT_POINTS };
        setup_custom_fft_plan(Plan::new(FFT_POINTS, method));
        // An error means that a pool exists already: its size then stands in the profile as it is.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global();
        Profile {
            tfhe_version: TFHE_VERSION.to_owned(),
            parameters: vec![
                crate::parameters::NETWORK_PARAMETERS.to_owned(),
                crate::parameters::CLIENT_PARAMETERS.to_owned(),
            ],
            fft_plan: format!("dif4/{FFT_POINTS}"),
            threads: rayon::current_num_threads(),
            cpu_class: cpu_class().to_owned(),
        }
    })
}

#[cfg(target_arch = "x86_64")]
fn cpu_class() -> &'static str {
    match () {
        () if std::is_x86_feature_detected!("avx512f") => "x86_64/avx512",
        () if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") => "x86_64/avx2",
        () => "x86_64",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu_class() -> &'static str {
    std::env::consts::ARCH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_that_is_built() {
        let locked = format!("name = \"tfhe\"\nversion = \"{TFHE_VERSION}\"\n");
        assert!(include_str!("../../Cargo.lock").contains(&locked));
    }

    #[test]
    fn another_profile_has_another_hash() {
        let ours = pin();
        assert_eq!(ours.hash(), pin().clone().hash());
        assert_ne!(ours.hash(), Profile { threads: THREADS + 1, ..ours.clone() }.hash());
    }

    #[test]
    fn pinning_twice_gives_one_profile_with_two_threads() {
        let first = pin();
        assert_eq!(first, pin());
        assert_eq!(first.threads, THREADS);
    }
}

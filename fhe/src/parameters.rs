//! The two parameter sets. Both: 128 bits of security, two message and two carry bits a block, failure probability
//! below 2^-128 an operation (tfhe's `PARAM_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128`).

use tfhe::shortint::parameters::{
    COMP_PARAM_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128, ClassicPBSParameters, DynamicDistribution, LweDimension,
    PARAM_KEYSWITCH_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128, PARAM_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128,
    PARAM_PKE_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128, PolynomialSize, ReRandomizationParameters,
};
use tfhe::{Config, ConfigBuilder};

/// Name of the network's parameters, in profiles and manifests.
pub const NETWORK_PARAMETERS: &str = "network/v1.8/2M128+pke+compression+rerand";

/// Name of the parameters of keys that clients hold.
pub const CLIENT_PARAMETERS: &str = "client/v1.8/2M128";

/// Plaintext bits that one proof covers; longer inputs are proven in parts.
pub const CRS_BITS: usize = 2048;

/// Network mode: public key with proofs, compression, re-randomisation of inputs.
pub fn network_config() -> Config {
    ConfigBuilder::with_custom_parameters(PARAM_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128)
        .use_dedicated_compact_public_key_parameters((
            PARAM_PKE_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128,
            PARAM_KEYSWITCH_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128,
        ))
        .enable_compression(COMP_PARAM_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128)
        .enable_ciphertext_re_randomization(ReRandomizationParameters::DerivedCPKWithoutKeySwitch)
        .use_dedicated_oprf_key(false)
        .build()
}

/// Client mode: tfhe's default without the key for pseudo-random numbers, which nothing here uses.
pub fn client_config() -> Config {
    ConfigBuilder::default().use_dedicated_oprf_key(false).build()
}

/// What JavaScript clients generate, who cannot leave that key out.
pub(crate) fn client_config_with_oprf() -> Config {
    ConfigBuilder::default().build()
}

/// Parameters of the same blocks and the same noise budget but without security, under which a program makes exactly
/// the bootstrappings that it makes under the real ones, each a thousand times faster.
pub(crate) fn counting_config() -> Config {
    let parameters = ClassicPBSParameters {
        lwe_dimension: LweDimension(2),
        polynomial_size: PolynomialSize(256),
        lwe_noise_distribution: DynamicDistribution::new_t_uniform(0),
        glwe_noise_distribution: DynamicDistribution::new_t_uniform(0),
        ..PARAM_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128
    };
    ConfigBuilder::with_custom_parameters(parameters).use_dedicated_oprf_key(false).build()
}

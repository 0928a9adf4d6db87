//! `zama-jobs config`: every setting with its default and what it does.

/// Prints the commented defaults.
pub fn run() {
    print!("{}", settings::DEFAULTS);
}

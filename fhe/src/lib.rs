//! Fully homomorphic encryption: parameters, keys, programs and safe bytes. The only room that knows tfhe.

pub mod child {
    //! The process that reads outside bytes and computes on them.

    pub mod protocol;
}

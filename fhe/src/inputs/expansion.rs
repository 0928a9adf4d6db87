//! From a list whose proofs were verified to values, one of its proofs after another: each takes nine seconds on two
//! cores at most, and between them a computation can be stopped.

use std::num::NonZeroUsize;

use jobs::fhe::program::ValueType;
use serde::{Deserialize, Serialize};
use tfhe::integer::ciphertext::{self as integer, DataKind, Expandable};
use tfhe::prelude::{CiphertextList, Tagged};
use tfhe::shortint::Ciphertext;
use tfhe::shortint::ciphertext as shortint;
use tfhe::{CompactCiphertextList, HlExpandable, ProvenCompactCiphertextList, Tag, with_server_key_as_context};

use super::{InputError, Making};
use crate::bytes::contained;
use crate::keys::EvaluationKey;
use crate::value::EncryptedValue;

/// The values that are wanted; `None` if it was told to stop.
pub(super) fn expand(
    list: &ProvenCompactCiphertextList,
    types: &[ValueType],
    is_wanted: &dyn Fn(usize) -> bool,
    key: &EvaluationKey,
    making: &mut Making<'_>,
) -> Result<Option<Vec<Option<EncryptedValue>>>, InputError> {
    let damaged = || InputError::invalid("the proven list cannot be expanded");
    let parts = contained(|| parts(list, types)).flatten().ok_or_else(damaged)?;
    let mut blocks: Vec<Vec<Ciphertext>> = types.iter().map(|_| Vec::new()).collect();
    let mut pbs = 0;
    for part in parts {
        if part.pieces.iter().any(|piece| is_wanted(piece.value)) {
            let expanded = contained(|| with_server_key_as_context(key.server_key().clone(), || part.expand()));
            for (piece, expanded) in part.pieces.iter().zip(expanded.flatten().ok_or_else(damaged)?) {
                blocks[piece.value].extend(expanded);
            }
        }
        pbs += part.pieces.iter().map(|piece| piece.blocks as u64).sum::<u64>();
        if making(pbs).is_break() {
            return Ok(None);
        }
    }
    let values: Option<Vec<_>> = types
        .iter()
        .zip(blocks)
        .enumerate()
        .map(|(index, (kind, blocks))| match is_wanted(index) {
            true => value(*kind, blocks, list.tag()).map(Some),
            false => Some(None),
        })
        .collect();
    values.map(Some).ok_or_else(damaged)
}

/// What one proof covers.
struct Part {
    list: CompactCiphertextList,
    pieces: Vec<Piece>,
}

/// The blocks of a value that stand in one part: a value may begin in one and end in the next.
struct Piece {
    value: usize,
    kind: ValueType,
    blocks: usize,
}

impl Part {
    /// The blocks of each piece.
    fn expand(&self) -> Option<Vec<Vec<Ciphertext>>> {
        let expander = self.list.expand().ok()?;
        (0..self.pieces.len()).map(|index| Some(expander.get::<Blocks>(index).ok()??.blocks)).collect()
    }
}

/// The form in which tfhe's own lists are serialised: it has no other way to their parts.
#[derive(Deserialize, Serialize)]
struct Tagging<T> {
    inner: T,
    tag: Tag,
}

fn parts(list: &ProvenCompactCiphertextList, types: &[ValueType]) -> Option<Vec<Part>> {
    let Tagging::<integer::ProvenCompactCiphertextList> { inner, tag } = translated(list)?;
    let (lists, _) = inner.into_raw_parts();
    let mut waiting = types.iter().enumerate().map(|(value, kind)| (value, *kind, kind.blocks() as usize));
    let mut current = waiting.next();
    let mut parts = Vec::new();
    for (list, _) in lists.into_raw_parts() {
        let mut room = list.len() * if list.is_packed() { 2 } else { 1 };
        let mut pieces = Vec::new();
        while let Some((value, kind, left)) = current.filter(|_| room > 0) {
            let blocks = left.min(room);
            pieces.push(Piece { value, kind, blocks });
            room -= blocks;
            current = if blocks < left { Some((value, kind, left - blocks)) } else { waiting.next() };
        }
        parts.push(Part { list: compact(list, &pieces, &tag)?, pieces });
    }
    current.is_none().then_some(parts)
}

fn compact(list: shortint::CompactCiphertextList, pieces: &[Piece], tag: &Tag) -> Option<CompactCiphertextList> {
    let kinds: Option<Vec<DataKind>> = pieces.iter().map(|piece| stored(piece.kind, piece.blocks)).collect();
    let inner = integer::CompactCiphertextList::from_raw_parts(list, kinds?);
    translated(&Tagging { inner, tag: tag.clone() })
}

fn stored(kind: ValueType, blocks: usize) -> Option<DataKind> {
    match kind {
        ValueType::Bool => Some(DataKind::Boolean),
        _ => NonZeroUsize::new(blocks).map(DataKind::Unsigned),
    }
}

/// The same data as another type of the same form.
fn translated<T: Serialize, U: for<'de> Deserialize<'de>>(from: &T) -> Option<U> {
    let mut bytes = Vec::new();
    ciborium::into_writer(from, &mut bytes).ok()?;
    ciborium::from_reader(bytes.as_slice()).ok()
}

fn value(kind: ValueType, blocks: Vec<Ciphertext>, tag: &Tag) -> Option<EncryptedValue> {
    fn whole<T: Expandable + Tagged>(blocks: Vec<Ciphertext>, kind: DataKind, tag: &Tag) -> Option<T> {
        let mut value = T::from_expanded_blocks(blocks, kind).ok()?;
        value.tag_mut().set_data(tag.data());
        Some(value)
    }
    let stored = stored(kind, blocks.len())?;
    Some(match kind {
        ValueType::Bool => EncryptedValue::Bool(whole(blocks, stored, tag)?),
        ValueType::U8 => EncryptedValue::U8(whole(blocks, stored, tag)?),
        ValueType::U16 => EncryptedValue::U16(whole(blocks, stored, tag)?),
        ValueType::U32 => EncryptedValue::U32(whole(blocks, stored, tag)?),
        ValueType::U64 => EncryptedValue::U64(whole(blocks, stored, tag)?),
    })
}

/// What an expander gives, as it is.
struct Blocks {
    blocks: Vec<Ciphertext>,
    tag: Tag,
}

impl Expandable for Blocks {
    fn from_expanded_blocks(blocks: Vec<Ciphertext>, _: DataKind) -> tfhe::Result<Self> {
        Ok(Self { blocks, tag: Tag::default() })
    }
}

impl HlExpandable for Blocks {}

impl Tagged for Blocks {
    fn tag(&self) -> &Tag {
        &self.tag
    }

    fn tag_mut(&mut self) -> &mut Tag {
        &mut self.tag
    }
}

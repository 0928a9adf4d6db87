//! Additions of many numbers: how tfhe 1.8.2 adds blocks, column by column, and what that costs.

/// Clean blocks that one block can take up before its carry must be taken out.
const BLOCKS_AT_ONCE: u64 = 5;

/// Bootstrappings of the sum of `count` numbers of `blocks` blocks, of which those above the lowest `used` are known
/// to be zero. Exact where all are used, else the most.
pub(super) fn sum(count: u64, used: usize, blocks: usize) -> u64 {
    match count {
        0 | 1 => 0,
        // Two are added without a look at zeros.
        2 => 2 * blocks as u64,
        _ => {
            let mut columns = vec![count; used.min(blocks)];
            columns.resize(blocks, 0);
            add_columns(columns)
        }
    }
}

/// Bootstrappings of a product with a clear factor: the sum of the number moved to the place of each bit of it. Blocks
/// above the lowest `used` of the number are known to be zero.
pub(super) fn clear_product(factor: u64, used: usize, blocks: usize) -> u64 {
    let bits = (0..u64::BITS as usize).filter(|bit| factor & (1 << bit) != 0 && bit / 2 < blocks);
    let bits: Vec<usize> = bits.collect();
    // Whole blocks are moved for nothing; the number moved by one bit is made once, and nothing of it is known then.
    let odd = if bits.iter().any(|bit| bit % 2 == 1) { blocks as u64 } else { 0 };
    match bits.as_slice() {
        [] => 0,
        [only] => moved(*only as u64, blocks as u64),
        [_, _] => odd + 2 * blocks as u64,
        _ => {
            let reaches = |bit: usize, column| bit / 2 <= column && (bit % 2 == 1 || column < bit / 2 + used);
            let height = |column| bits.iter().filter(|bit| reaches(**bit, column)).count() as u64;
            odd + add_columns((0..blocks).map(height).collect())
        }
    }
}

/// Bootstrappings of a product of two numbers of `blocks` blocks, of which those above the lowest `left` and `right`
/// are known to be zero: two for each pair of blocks (the lower and the upper half of their product), unless it lies
/// beyond the width, and the sum of all of them.
pub(super) fn product(left: usize, right: usize, blocks: usize) -> u64 {
    let mut columns = vec![0; blocks];
    for column in (0..left).flat_map(|i| (0..right).map(move |j| i + j)) {
        for half in [column, column + 1] {
            if let Some(height) = columns.get_mut(half) {
                *height += 1;
            }
        }
    }
    columns.iter().sum::<u64>() + add_columns(columns)
}

/// Bootstrappings of a move by clear bits, of which an odd number changes each block that remains.
pub(super) fn moved(bits: u64, blocks: u64) -> u64 {
    if bits.is_multiple_of(2) { 0 } else { blocks.saturating_sub(bits / 2) }
}

/// Five blocks of a column become one, and one of the next column, until no column has more than five; then carries
/// are propagated.
fn add_columns(mut columns: Vec<u64>) -> u64 {
    let mut pbs = 0;
    let last = columns.len().saturating_sub(1);
    while columns.iter().any(|count| *count > BLOCKS_AT_ONCE) {
        let groups: Vec<u64> = columns.iter().map(|count| count / BLOCKS_AT_ONCE).collect();
        for (column, groups) in groups.into_iter().enumerate().filter(|(_, groups)| *groups > 0) {
            columns[column] -= groups * (BLOCKS_AT_ONCE - 1);
            pbs += groups;
            if column < last {
                columns[column + 1] += groups;
                pbs += groups;
            }
        }
    }
    pbs + propagate(&columns)
}

fn propagate(columns: &[u64]) -> u64 {
    let Some(first) = columns.iter().position(|count| *count > 1) else { return 0 };
    // Carries reach two blocks beyond the last one that is not zero.
    let used = columns.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    let touched = ((used + 2).min(columns.len()) - first) as u64;
    // A block of more than three has no room for the carry that it receives; the first one receives none.
    let full = columns[first + 1..].iter().any(|count| *count > 3);
    if full { 4 * touched - 3 } else { 2 * touched }
}

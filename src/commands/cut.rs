//! Lists that are not whole say so: on stderr to people, by `has_more` to scripts.

/// Keeps at most `most` of a list that was asked for one more than that; whether there was one more.
pub(super) fn cut<T>(list: &mut Vec<T>, most: i64) -> bool {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let is_cut = list.len() > most;
    list.truncate(most);
    is_cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_when_it_has_more() {
        for (mut list, is_cut, kept) in [(vec![], false, 0), (vec![1, 2], false, 2), (vec![1, 2, 3], true, 2)] {
            assert_eq!((cut(&mut list, 2), list.len()), (is_cut, kept));
        }
    }
}

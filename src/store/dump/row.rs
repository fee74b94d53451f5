//! Rows between two stores: values as both hold them, numbers moved from one store's counting to the other's, and the digest by which
//! two tables are compared.

use super::listed::{Number, Table};
use crate::store::{Result, StoreError};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A value, as SQLite holds it: a flag is 0 or 1, a UUID is its bytes.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The values of a table's columns, in their order.
pub(in crate::store) type Row = Vec<Cell>;

impl Cell {
    /// About what it takes in memory and on the way.
    fn size_bytes(&self) -> usize {
        match self {
            Self::Null | Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len() + 8,
            Self::Bytes(bytes) => bytes.len() + 8,
        }
    }

    fn hash_into(&self, hash: &mut Sha256) {
        let (tag, bytes): (u8, &[u8]) = match self {
            Self::Null => (0, &[]),
            Self::Integer(number) => (1, &number.to_be_bytes()),
            // SQLite keeps no negative zero; both are the same number.
            Self::Real(number) => (2, &(number + 0.0).to_bits().to_be_bytes()),
            Self::Text(text) => (3, text.as_bytes()),
            Self::Bytes(bytes) => (4, bytes),
        };
        hash.update([tag]);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    }
}

pub(super) fn rows_bytes(rows: &[Row]) -> usize {
    rows.iter().flatten().map(Cell::size_bytes).sum()
}

/// What was read of a table: how many rows, and a hash of them all in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSum {
    pub n_rows: u64,
    /// SHA-256, over every value of every row.
    pub sha256: [u8; 32],
}

#[derive(Default)]
pub(super) struct Summing {
    n_rows: u64,
    hash: Sha256,
}

impl Summing {
    pub fn add(&mut self, rows: &[Row]) {
        self.n_rows += rows.len() as u64;
        for cell in rows.iter().flatten() {
            cell.hash_into(&mut self.hash);
        }
    }

    pub fn end(self) -> TableSum {
        TableSum { n_rows: self.n_rows, sha256: self.hash.finalize().into() }
    }
}

/// How far the numbers of each table move; by 0 where it is not named.
#[derive(Debug, Default)]
pub(super) struct Moves(BTreeMap<&'static str, i64>);

impl Moves {
    pub fn set(&mut self, table: &'static str, by: i64) {
        self.0.insert(table, by);
    }

    /// From the numbers of the one store to those of the other.
    pub fn there(&self, table: &Table, rows: &mut [Row]) -> Result<()> {
        self.shift(table, rows, i64::checked_add)
    }

    /// And back.
    pub fn back(&self, table: &Table, rows: &mut [Row]) -> Result<()> {
        self.shift(table, rows, i64::checked_sub)
    }

    fn shift(&self, table: &Table, rows: &mut [Row], by: fn(i64, i64) -> Option<i64>) -> Result<()> {
        for (at, column) in table.columns.iter().enumerate() {
            let counted = match column.number {
                Number::Plain => continue,
                Number::Own => table.name,
                Number::Of(other) => other,
            };
            let Some(offset) = self.0.get(counted).filter(|offset| **offset != 0) else { continue };
            for cell in rows.iter_mut().filter_map(|row| row.get_mut(at)) {
                if let Cell::Integer(number) = cell {
                    *number = by(*number, *offset)
                        .ok_or_else(|| StoreError::Corrupt(format!("a number of {} is too large", table.name)))?;
                }
            }
        }
        Ok(())
    }
}

/// By how much numbers `low..=high` move into a store that has given out `taken` and less: not at all where they are free there.
pub(in crate::store) fn offset(low: i64, taken: i64) -> i64 {
    if low > taken { 0 } else { taken - low + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::dump::listed::TABLES;
    use proptest::prelude::*;

    fn any_cell() -> impl Strategy<Value = Cell> {
        prop_oneof![
            Just(Cell::Null),
            any::<i64>().prop_map(Cell::Integer),
            any::<f64>().prop_map(Cell::Real),
            "[a\\x00]{0,3}".prop_map(Cell::Text),
            proptest::collection::vec(0..2_u8, 0..3).prop_map(Cell::Bytes),
        ]
    }

    fn sum(rows: &[Row]) -> TableSum {
        let mut summing = Summing::default();
        summing.add(rows);
        summing.end()
    }

    fn same(a: &Cell, b: &Cell) -> bool {
        match (a, b) {
            (Cell::Real(a), Cell::Real(b)) => a.to_bits() == b.to_bits() || (*a == 0.0 && *b == 0.0),
            _ => a == b,
        }
    }

    proptest! {
        #[test]
        fn two_tables_have_one_sum_if_and_only_if_their_values_are_the_same(
            one in proptest::collection::vec(any_cell(), 0..4), other in proptest::collection::vec(any_cell(), 0..4)
        ) {
            let equal = one.len() == other.len() && one.iter().zip(&other).all(|(a, b)| same(a, b));
            prop_assert_eq!(sum(std::slice::from_ref(&one)) == sum(&[other]), equal);
            prop_assert_eq!(sum(&[one.clone(), one.clone()]), sum(&[one.clone(), one]));
        }

        #[test]
        fn numbers_move_there_and_back_and_keep_their_order(numbers in proptest::collection::vec(1..1_000_i64, 1..9), taken in 0..2_000_i64) {
            let table = TABLES.iter().find(|table| table.name == "review_vector").unwrap();
            let before: Vec<Row> = numbers.iter().map(|n| vec![Cell::Integer(*n), Cell::Integer(*n), Cell::Null]).collect();
            let mut moves = Moves::default();
            moves.set("review", offset(*numbers.iter().min().unwrap(), taken));
            let mut rows = before.clone();
            moves.there(table, &mut rows).unwrap();
            for (row, number) in rows.iter().zip(&numbers) {
                prop_assert_eq!(&row[0], &Cell::Integer(*number), "a model's number is another table's");
                let Cell::Integer(moved) = row[1] else { panic!("no number") };
                prop_assert!(moved > taken);
            }
            moves.back(table, &mut rows).unwrap();
            prop_assert_eq!(rows, before);
        }
    }
}

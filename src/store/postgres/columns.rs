//! How domain values lie in columns: each type here is written and read back the same way everywhere, and a value that this
//! program cannot have written is an error, never a guess.

use crate::domain::Timestamp;
use crate::store::{Result, StoreError};
use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::borrow::Cow;
use std::error::Error;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

type Boxed = Box<dyn Error + Sync + Send>;

/// The value of a row's column.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T> {
    row.try_get(column)
        .map_err(|_| StoreError::Corrupt(format!("column {column} of a row is not what this program writes")))
}

/// A type that lies in a column as another one does.
macro_rules! lies_as {
    ($name:ident$(<$generic:ident>)? $(where $bound:path)?, $plain:ty, $sql:ident, $write:expr) => {
        impl$(<$generic: $bound + std::fmt::Debug>)? ToSql for $name$(<$generic>)? {
            fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
                let write: fn(&Self) -> Result<$plain, Boxed> = $write;
                write(self)?.to_sql(ty, out)
            }
            accepts!($sql);
            to_sql_checked!();
        }
    };
}

/// A moment, as microseconds since 1970 in UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(pub Timestamp);

lies_as!(Moment, i64, INT8, |moment| Ok(moment.0.as_microsecond()));

impl<'a> FromSql<'a> for Moment {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        Ok(Self(Timestamp::from_microsecond(i64::from_sql(ty, raw)?)?))
    }
    accepts!(INT8);
}

/// An unsigned number of 64 bits, as the signed one with the same bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unsigned(pub u64);

lies_as!(Unsigned, i64, INT8, |number| Ok(number.0.cast_signed()));

impl<'a> FromSql<'a> for Unsigned {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        Ok(Self(i64::from_sql(ty, raw)?.cast_unsigned()))
    }
    accepts!(INT8);
}

/// A number of 32 bits without a sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Small(pub u32);

lies_as!(Small, i64, INT8, |number| Ok(number.0.into()));

impl<'a> FromSql<'a> for Small {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        Ok(Self(u32::try_from(i64::from_sql(ty, raw)?)?))
    }
    accepts!(INT8);
}

/// An identifier whose form was checked when it was made, and is checked again when it is read.
pub(super) struct Text<T>(pub T);

impl<'a, T: TryFrom<String>> FromSql<'a> for Text<T> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        T::try_from(String::from_sql(ty, raw)?).map(Self).map_err(|_| unexpected())
    }
    accepts!(TEXT);
}

/// Stands before a character that says what was there.
const ESCAPE: char = '\u{1a}';

/// Words as people wrote them. PostgreSQL's texts hold every character but the zero byte, which is escaped.
#[derive(Debug, Clone)]
pub(super) struct Words<'a>(pub Cow<'a, str>);

impl<'a> Words<'a> {
    pub fn of(text: &'a str) -> Self {
        Self(text.into())
    }

    pub fn owned(self) -> String {
        self.0.into_owned()
    }
}

impl ToSql for Words<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        if !self.0.contains(['\0', ESCAPE]) {
            return self.0.to_sql(ty, out);
        }
        for c in self.0.chars() {
            match c {
                '\0' => out.put_slice(b"\x1a0"),
                ESCAPE => out.put_slice(b"\x1a1"),
                c => out.put_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Ok(IsNull::No)
    }
    accepts!(TEXT);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Words<'static> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        let text = String::from_sql(ty, raw)?;
        if !text.contains(ESCAPE) {
            return Ok(Self(text.into()));
        }
        let mut words = String::with_capacity(text.len());
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            words.push(match c {
                ESCAPE => match rest.next() {
                    Some('0') => '\0',
                    Some('1') => ESCAPE,
                    _ => return Err(unexpected()),
                },
                c => c,
            });
        }
        Ok(Self(words.into()))
    }
    accepts!(TEXT);
}

/// A value whose shape only the program knows, as JSON text.
#[derive(Debug)]
pub(super) struct Json<T>(pub T);

lies_as!(Json<T> where Serialize, String, TEXT, |json| Ok(serde_json::to_string(&json.0)?));

impl<'a, T: DeserializeOwned> FromSql<'a> for Json<T> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        // The parser's own message may quote what it read; it is left out.
        serde_json::from_str(<&str>::from_sql(ty, raw)?).map(Self).map_err(|_| unexpected())
    }
    accepts!(TEXT);
}

/// One of a few words, such as a state: the same words as in the API.
#[derive(Debug)]
pub(super) struct Word<T>(pub T);

lies_as!(Word<T> where Serialize, String, TEXT, |word| match serde_json::to_value(&word.0) {
    Ok(Value::String(word)) => Ok(word),
    _ => Err(unexpected()),
});

impl<'a, T: DeserializeOwned> FromSql<'a> for Word<T> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        let word = Value::String(String::from_sql(ty, raw)?);
        serde_json::from_value(word).map(Self).map_err(|_| unexpected())
    }
    accepts!(TEXT);
}

/// Numbers bit for bit, little-endian.
#[derive(Debug)]
pub(super) struct Floats(pub Vec<f32>);

impl Floats {
    pub fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}

impl<'a> FromSql<'a> for Floats {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        let (numbers, rest) = <&[u8]>::from_sql(ty, raw)?.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(unexpected());
        }
        Ok(Self(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
    }
    accepts!(BYTEA);
}

/// A page's size as PostgreSQL takes it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn unexpected() -> Boxed {
    "the value is not one this program writes".into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_come_back_whatever_characters_they_hold(text in "[\\x00\\x1a01aé語]{0,12}") {
            let mut bytes = BytesMut::new();
            Words::of(&text).to_sql(&Type::TEXT, &mut bytes).unwrap();
            prop_assert!(!bytes.contains(&0), "PostgreSQL refuses a zero byte");
            prop_assert_eq!(Words::from_sql(&Type::TEXT, &bytes).unwrap().owned(), text);
        }
    }

    #[test]
    fn what_this_program_cannot_have_written_is_an_error() {
        for text in ["\u{1a}", "a\u{1a}2"] {
            assert!(Words::from_sql(&Type::TEXT, text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Floats::from_sql(&Type::BYTEA, &[0; 7]).is_err());
        assert!(Small::from_sql(&Type::INT8, &(-1_i64).to_be_bytes()).is_err());
        assert!(Word::<crate::domain::JobState>::from_sql(&Type::TEXT, b"asleep").is_err());
    }
}

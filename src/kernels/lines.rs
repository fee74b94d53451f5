//! Numbers that start on a cache line, so that a vector's load never touches two.

#![expect(unsafe_code, reason = "views a slice of cache lines as a slice of the numbers in them")]

use std::ops::{Deref, DerefMut};

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line<T>([T; 16]);

/// 32-bit numbers.
pub trait Number: Copy + Default + 'static + sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for u32 {}
}

impl Number for f32 {}
impl Number for u32 {}

/// A buffer of 32-bit numbers aligned to 64 bytes, zero where nothing was written.
#[derive(Clone, Default)]
pub struct Lines<T: Number> {
    lines: Vec<Line<T>>,
    len: usize,
}

impl<T: Number> Lines<T> {
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Self { lines: Vec::new(), len: 0 };
        buffer.resize(len);
        buffer
    }

    /// Gives it room for `len` numbers. What was there before may stay or be zero: callers write before they read.
    pub fn resize(&mut self, len: usize) {
        let n_lines = len.div_ceil(16);
        if n_lines > self.lines.len() {
            self.lines = vec![Line([T::default(); 16]); n_lines];
        }
        self.len = len;
    }
}

impl<T: Number> Deref for Lines<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: a Line is 16 numbers and nothing else (repr(C), 64 bytes, aligned to 64), so `lines` is at least `len`
        // initialised numbers one after the other.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Number> DerefMut for Lines<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; the buffer is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl From<&[f32]> for Lines<f32> {
    fn from(numbers: &[f32]) -> Self {
        let mut lines = Self::zeros(numbers.len());
        lines.copy_from_slice(numbers);
        lines
    }
}

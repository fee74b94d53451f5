//! A buffer whose parts several threads write at the same time, each its own.

#![expect(unsafe_code, reason = "hands out parts of one buffer to several threads")]

use std::marker::PhantomData;
use std::ops::Range;

/// A borrowed buffer that can be written in parts. Threads that work on the columns of one matrix have parts that lie between
/// each other's, which no split of a slice can express.
#[derive(Clone, Copy)]
pub struct Shared<'a, T> {
    start: *mut T,
    len: usize,
    borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: it gives access to numbers, and `part` obliges its callers to keep to parts of their own.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub fn new(buffer: &'a mut [T]) -> Self {
        Self { start: buffer.as_mut_ptr(), len: buffer.len(), borrowed: PhantomData }
    }

    /// # Safety
    /// As long as the part is held, no other part that is held by anybody overlaps it.
    ///
    /// # Panics
    /// The range is not inside the buffer.
    #[expect(clippy::mut_from_ref, reason = "the caller promises that nobody else has this part")]
    #[inline(always)]
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: inside the buffer, which is borrowed for 'a, and nobody else's by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

//! A component's heap. Its first 64 KiB are part of the memory that a sandbox begins with, so a script that needs no
//! more, as most don't, starts and ends without asking the host for memory; beyond that it grows by pages as usual.

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32;
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use dlmalloc::{Allocator, Dlmalloc};

/// Of Wasm.
const PAGE: usize = 64 << 10;

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(Pages)));

static FIRST: First = First(UnsafeCell::new([0; PAGE]));
static FIRST_IS_TAKEN: AtomicBool = AtomicBool::new(false);

#[repr(align(16))]
struct First(UnsafeCell<[u8; PAGE]>);

struct Heap(UnsafeCell<Dlmalloc<Pages>>);

/// Where dlmalloc has its memory from.
struct Pages;

// SAFETY: a component has one thread.
#[allow(unsafe_code)]
unsafe impl Sync for First {}

// SAFETY: a component has one thread.
#[allow(unsafe_code)]
unsafe impl Sync for Heap {}

// SAFETY: what is asked is passed to dlmalloc as it is, by the one thread there is; dlmalloc never calls back here.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.0.get()).malloc(layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.0.get()).calloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { (*self.0.get()).free(at, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        unsafe { (*self.0.get()).realloc(at, layout.size(), layout.align(), size) }
    }
}

// SAFETY: every region is given away once: the first by the flag, others because the host gives each page once.
#[allow(unsafe_code)]
unsafe impl Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        if size <= PAGE && !FIRST_IS_TAKEN.swap(true, Ordering::Relaxed) {
            return (FIRST.0.get().cast(), PAGE, 0);
        }
        let pages = size.div_ceil(PAGE);
        let before = wasm32::memory_grow(0, pages);
        if before == usize::MAX {
            return (ptr::null_mut(), 0, 0);
        }
        let begin = before * PAGE;
        // The last address must stay outside: a region that ends at 2^32 would end at 0.
        let size = if begin.wrapping_add(pages * PAGE) == 0 { pages * PAGE - 16 } else { pages * PAGE };
        (begin as *mut u8, size, 0)
    }

    fn remap(&self, _at: *mut u8, _old: usize, _new: usize, _may_move: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _at: *mut u8, _old: usize, _new: usize) -> bool {
        false
    }

    fn free(&self, _at: *mut u8, _size: usize) -> bool {
        false
    }

    fn can_release_part(&self, _flags: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE
    }
}

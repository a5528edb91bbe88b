//! What std would have brought: the entry point, a heap, the end of the program, and a handler for panics.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::panic::PanicInfo;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "and rsp, -16", "call {main}", "ud2", main = sym crate::main);

#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "bl {main}", "brk #1", main = sym crate::main);

/// Ends the program through the system call `exit`.
pub(crate) fn exit(status: u32) -> ! {
    // SAFETY: the call does not return, and touches no memory.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", in("rax") 60, in("rdi") u64::from(status), options(noreturn, nostack))
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc #0", in("x8") 93, in("x0") u64::from(status), options(noreturn, nostack))
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(101)
}

const HEAP_LEN: usize = 4 << 20;

/// Memory that is given out from the start to the end, and never taken back.
#[repr(align(64))]
struct Heap {
    bytes: UnsafeCell<[u8; HEAP_LEN]>,
    used: AtomicUsize,
}

// SAFETY: no byte is given out twice.
unsafe impl Sync for Heap {}

// SAFETY: each block lies within the heap, is aligned, and belongs to one caller alone.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.used.load(Ordering::Relaxed).next_multiple_of(layout.align());
        let end = start.saturating_add(layout.size());
        if layout.align() > align_of::<Self>() || end > HEAP_LEN {
            return null_mut();
        }
        // There is one thread.
        self.used.store(end, Ordering::Relaxed);
        // SAFETY: `start` is within the heap, as `end` is.
        unsafe { self.bytes.get().cast::<u8>().add(start) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: Heap = Heap { bytes: UnsafeCell::new([0; HEAP_LEN]), used: AtomicUsize::new(0) };

/// Panics abort, but `alloc` was compiled to unwind and names this.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// As above; never called.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    exit(102)
}

// What the compiler expects of every platform. Volatile, lest it makes these loops call themselves.

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: as promised by the caller.
    (0..len).for_each(|i| unsafe { to.add(i).write_volatile(*from.add(i)) });
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if to.addr() <= from.addr() {
        // SAFETY: as promised by the caller; each byte is read before it is written.
        return unsafe { memcpy(to, from, len) };
    }
    // SAFETY: as above.
    (0..len).rev().for_each(|i| unsafe { to.add(i).write_volatile(*from.add(i)) });
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    // SAFETY: as promised by the caller.
    (0..len).for_each(|i| unsafe { to.add(i).write_volatile(byte as u8) });
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    // SAFETY: as promised by the caller.
    let pair = |i| unsafe { (left.add(i).read_volatile(), right.add(i).read_volatile()) };
    let difference = (0..len).map(pair).find(|(left, right)| left != right);
    difference.map_or(0, |(left, right)| i32::from(left) - i32::from(right))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    // SAFETY: as promised by the caller.
    unsafe { memcmp(left, right, len) }
}

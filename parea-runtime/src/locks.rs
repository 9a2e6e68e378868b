//! Types that wait for a lock when they are shown, told by their names: a value is captured while anybody may hold it, the
//! caller included, and the program must not hang for that.

use std::any::type_name;

use crate::type_names::{after, begins};

/// Whether `Serialize` of this type waits for a lock: the standard library's, parking_lot's, and what points to one of
/// them or may hold one.
///
/// As with [secrets](crate::redact::is_secret_type) the name is a constant for each type, and there are no loops.
#[expect(clippy::inline_always, reason = "out of line, nothing is known of the name, and every value pays for it")]
#[inline(always)]
pub(crate) fn is_lock_type<T: ?Sized>() -> bool {
    through_pointers(type_name::<T>(), |name| is_lock(name) || is_sharded(name))
}

/// Whether `Debug` of this type waits for a lock as well; that of a single lock only tries.
#[expect(clippy::inline_always, reason = "see above")]
#[inline(always)]
pub(crate) fn is_sharded_type<T: ?Sized>() -> bool {
    through_pointers(type_name::<T>(), is_sharded)
}

#[expect(clippy::inline_always, reason = "see above")]
#[inline(always)]
fn is_lock(name: &[u8]) -> bool {
    begins(name, b"std::sync::poison::mutex::Mutex<")
        || begins(name, b"std::sync::poison::rwlock::RwLock<")
        || begins(name, b"std::sync::mutex::Mutex<")
        || begins(name, b"std::sync::rwlock::RwLock<")
        || begins(name, b"lock_api::")
}

#[expect(clippy::inline_always, reason = "see above")]
#[inline(always)]
fn is_sharded(name: &[u8]) -> bool {
    begins(name, b"dashmap::")
}

#[expect(clippy::inline_always, reason = "see above")]
#[inline(always)]
fn through_pointers(name: &str, is_meant: impl Fn(&[u8]) -> bool + Copy) -> bool {
    let name = name.as_bytes();
    let name = after(name, b"&").unwrap_or(name);
    let name = after(name, b"&").unwrap_or(name);
    let name = after(name, b"mut ").unwrap_or(name);
    is_meant(name)
        || is_within(name, b"alloc::boxed::Box<", is_meant)
        || is_within(name, b"alloc::rc::Rc<", is_meant)
        || is_within(name, b"alloc::sync::Arc<", is_meant)
        || is_within(name, b"core::option::Option<&", is_meant)
        || is_within(name, b"core::option::Option<alloc::boxed::Box<", is_meant)
        || is_within(name, b"core::option::Option<alloc::sync::Arc<", is_meant)
}

#[expect(clippy::inline_always, reason = "see above")]
#[inline(always)]
fn is_within<const N: usize>(name: &[u8], wrapper: &[u8; N], is_meant: impl Fn(&[u8]) -> bool) -> bool {
    match after(name, wrapper) {
        Some(inner) => is_meant(inner),
        None => false,
    }
}

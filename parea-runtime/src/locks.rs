//! Types that wait for a lock when they are shown, told by their names: a value is captured while anybody may hold it, the
//! caller included, and the program must not hang for that.

use std::any::type_name;

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
fn is_lock(name: &str) -> bool {
    name.starts_with("std::sync::poison::mutex::Mutex<")
        || name.starts_with("std::sync::poison::rwlock::RwLock<")
        || name.starts_with("std::sync::mutex::Mutex<")
        || name.starts_with("std::sync::rwlock::RwLock<")
        || name.starts_with("lock_api::")
}

#[expect(clippy::inline_always, reason = "see above")]
#[inline(always)]
fn is_sharded(name: &str) -> bool {
    name.starts_with("dashmap::")
}

#[expect(clippy::inline_always, reason = "see above")]
#[inline(always)]
fn through_pointers(name: &str, is_meant: impl Fn(&str) -> bool) -> bool {
    let name = name.strip_prefix('&').unwrap_or(name);
    let name = name.strip_prefix('&').unwrap_or(name);
    let name = name.strip_prefix("mut ").unwrap_or(name);
    let is_within = |wrapper: &str| name.strip_prefix(wrapper).is_some_and(&is_meant);
    is_meant(name)
        || is_within("alloc::boxed::Box<")
        || is_within("alloc::rc::Rc<")
        || is_within("alloc::sync::Arc<")
        || is_within("core::option::Option<&")
        || is_within("core::option::Option<alloc::boxed::Box<")
        || is_within("core::option::Option<alloc::sync::Arc<")
}

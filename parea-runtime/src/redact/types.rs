//! Types whose values are secrets, told by their names: the crates that define them are no dependencies of ours.

use std::any::type_name;

use crate::type_names::{after, begins};

/// Whether a value of this type must not be looked at: `secrecy::SecretString`, `zeroize::Zeroizing<…>`, and what points to
/// one of them or may hold one.
///
/// The name is a constant for each type, so that an optimising compiler leaves nothing of this but the answer; therefore
/// there are no loops.
#[expect(clippy::inline_always, reason = "out of line, nothing is known of the name, and every value pays for it")]
#[inline(always)]
pub fn is_secret_type<T: ?Sized>() -> bool {
    is_secret_type_name(type_name::<T>())
}

#[expect(clippy::inline_always, reason = "see above")]
#[inline(always)]
fn is_secret_type_name(name: &str) -> bool {
    let name = name.as_bytes();
    is_defined(name)
        || is_within(name, b"&")
        || is_within(name, b"&&")
        || is_within(name, b"&mut ")
        || is_within(name, b"alloc::boxed::Box<")
        || is_within(name, b"alloc::rc::Rc<")
        || is_within(name, b"alloc::sync::Arc<")
        || is_within(name, b"&alloc::sync::Arc<")
        || is_within(name, b"core::option::Option<")
        || is_within(name, b"core::option::Option<&")
        || is_within(name, b"core::cell::RefCell<")
        || is_within(name, b"&core::cell::RefCell<")
        || is_within(name, b"alloc::rc::Rc<core::cell::RefCell<")
        || is_within(name, b"alloc::borrow::Cow<")
        || is_within(name, b"alloc::borrow::Cow<'_, ")
}

#[expect(clippy::inline_always, reason = "see above")]
#[inline(always)]
fn is_defined(name: &[u8]) -> bool {
    begins(name, b"secrecy::") || begins(name, b"zeroize::Zeroizing<") || begins(name, b"secret_string::")
}

#[expect(clippy::inline_always, reason = "see above")]
#[inline(always)]
fn is_within<const N: usize>(name: &[u8], wrapper: &[u8; N]) -> bool {
    match after(name, wrapper) {
        Some(inner) => is_defined(inner),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_through_what_points_to_them() {
        for name in [
            "secrecy::SecretBox<str>",
            "secrecy::Secret<alloc::string::String>",
            "zeroize::Zeroizing<alloc::string::String>",
            "&mut zeroize::Zeroizing<[u8; 32]>",
            "core::option::Option<zeroize::Zeroizing<alloc::string::String>>",
            "alloc::sync::Arc<secrecy::SecretBox<str>>",
            "alloc::rc::Rc<core::cell::RefCell<zeroize::Zeroizing<alloc::string::String>>>",
        ] {
            assert!(is_secret_type_name(name), "{name}");
        }
        for name in ["str", "alloc::string::String", "my::secrecy::Thing", "zeroize::Zeroize", "alloc::vec::Vec<u8>"] {
            assert!(!is_secret_type_name(name), "{name}");
        }
        assert!(!is_secret_type::<&str>());
        // However the compiler names it.
        let name = type_name::<std::borrow::Cow<'static, str>>();
        assert!(["alloc::borrow::Cow<str>", "alloc::borrow::Cow<'_, str>"].contains(&name), "{name}");
    }
}

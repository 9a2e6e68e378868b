//! What headers can be written to and read from.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, Hash},
};

/// Headers by name: of a request, of a message in a queue, of a job in a table. Names are written in small letters and
/// read in any.
///
/// Implemented for maps of texts, for lists of pairs, and with the feature `http` or `tower` for `http::HeaderMap`.
pub trait Carrier {
    /// All values of a header that are text, in their order.
    fn values(&self, name: &str) -> Vec<&str>;

    /// Sets a header in place of all values that it has.
    fn set(&mut self, name: &'static str, value: String);
}

macro_rules! maps {
    ($($map:ident<$key:ident, $value:ident $(, $hasher:ident)?> where [$($bound:tt)+];)+) => {$(
        impl<$key, $value $(, $hasher)?> Carrier for $map<$key, $value $(, $hasher)?>
        where
            $key: AsRef<str> + From<String>,
            $value: AsRef<str> + From<String>,
            $($bound)+
        {
            fn values(&self, name: &str) -> Vec<&str> {
                let named = self.iter().filter(|(key, _)| key.as_ref().eq_ignore_ascii_case(name));
                named.map(|(_, value)| value.as_ref()).collect()
            }

            fn set(&mut self, name: &'static str, value: String) {
                self.retain(|key, _| !key.as_ref().eq_ignore_ascii_case(name));
                self.insert(name.to_owned().into(), value.into());
            }
        }
    )+};
}

maps! {
    HashMap<K, V, S> where [K: Eq + Hash, S: BuildHasher];
    BTreeMap<K, V> where [K: Ord];
}

impl<K, V> Carrier for Vec<(K, V)>
where
    K: AsRef<str> + From<String>,
    V: AsRef<str> + From<String>,
{
    fn values(&self, name: &str) -> Vec<&str> {
        let named = self.iter().filter(|(key, _)| key.as_ref().eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_ref()).collect()
    }

    fn set(&mut self, name: &'static str, value: String) {
        self.retain(|(key, _)| !key.as_ref().eq_ignore_ascii_case(name));
        self.push((name.to_owned().into(), value.into()));
    }
}

#[cfg(any(feature = "http", feature = "tower"))]
impl Carrier for http::HeaderMap {
    fn values(&self, name: &str) -> Vec<&str> {
        self.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
    }

    fn set(&mut self, name: &'static str, value: String) {
        // What is sent is plain ASCII; values of others that are passed on were read as text.
        if let Ok(value) = http::HeaderValue::try_from(value) {
            self.insert(name, value);
        }
    }
}

//! When a call is tried again, and after how long.

use std::time::Duration;

use super::ApiError;

/// Longest wish of a server that is waited for; beyond it the caller gets the error, which tells the wish.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// What it means to do an operation twice, which a lost answer leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// The same as once: reads, and writes that go by the id they name.
    Harmless,
    /// Something is there twice, or paid for twice: the call is repeated only where the server cannot have acted.
    Doubles,
}

impl Again {
    /// Whether a call that failed like this may be repeated.
    ///
    /// An operation that doubles is repeated when no connection came about, and on the three answers that say that the
    /// request was turned away unread: 408, 429 and 503. Behind a 500, a 502, a 504 or a broken connection it may be done.
    fn allows(self, error: &ApiError) -> bool {
        match self {
            Self::Harmless => error.is_transient(),
            Self::Doubles => {
                matches!(error, ApiError::Unreachable(_) | ApiError::Status { status: 408 | 429 | 503, .. })
            }
        }
    }

    /// How long to wait before the next attempt; `None` when the error is final.
    ///
    /// Doubling from 250 ms to 8 s, at random between half and all of it, so that many clients of one server do not
    /// come back together. A server that asks for more gets it.
    pub(super) fn pause(self, error: &ApiError, failures: u32) -> Option<Duration> {
        const FIRST: Duration = Duration::from_millis(250);
        const LONGEST: Duration = Duration::from_secs(8);
        if !self.allows(error) {
            return None;
        }
        let asked = match error {
            ApiError::Status { retry_after: Some(asked), .. } if *asked > LONGEST_ASKED => return None,
            ApiError::Status { retry_after: Some(asked), .. } => *asked,
            _ => Duration::ZERO,
        };
        let doubled = FIRST.saturating_mul(1 << failures.min(10)).min(LONGEST);
        Some(doubled.mul_f64(0.5 + fastrand::f64() / 2.0).max(asked))
    }
}

/// Reads `Retry-After`, which is a number of seconds or a moment; `now` in microseconds since the Unix epoch.
pub(super) fn retry_after(value: &str, now: i64) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let moment = chrono::DateTime::parse_from_rfc2822(value).ok()?.timestamp_micros();
    Some(Duration::from_micros(u64::try_from(moment.saturating_sub(now)).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_of_the_server_is_seconds_or_a_moment() {
        assert_eq!(retry_after(" 7 ", 0), Some(Duration::from_secs(7)));
        let moment = "Wed, 21 Oct 2015 07:28:00 GMT";
        let at = 1_445_412_480_000_000;
        assert_eq!(retry_after(moment, at - 1_500_000), Some(Duration::from_millis(1_500)));
        assert_eq!(retry_after(moment, at + 1), Some(Duration::ZERO), "it has passed");
        assert_eq!(retry_after("soon", at), None);
        assert_eq!(retry_after("99999999999999999999999", 0), Some(Duration::from_secs(u64::MAX)));
    }
}

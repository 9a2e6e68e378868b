//! Which traces are kept where a client asks for some of them only.

/// Whether a trace is kept at that rate, the same for all its logs and on every server: the id's hash decides. Of
/// two rates the lower keeps a subset of what the higher does.
pub(crate) fn is_kept(root_trace_id: &str, rate: f64) -> bool {
    draw(root_trace_id) < rate
}

/// A number from 0 up to but not 1: the upper 53 bits of the FNV-1a hash (64 bits) of the id's bytes after the
/// finalizer of MurmurHash3, without which similar ids would draw similar numbers.
fn draw(root_trace_id: &str) -> f64 {
    let mut hash = crate::tree::fnv(root_trace_id);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_as_many_are_kept_as_asked_for() {
        for rate in [0.0, 0.01, 0.3, 0.9, 1.0] {
            let kept = (0..10_000).filter(|n| is_kept(&format!("trace-{n}"), rate)).count() as f64;
            assert!((kept - 10_000.0 * rate).abs() < 200.0, "{kept} of 10000 at {rate}");
        }
    }

    #[test]
    fn the_draw_never_changes() {
        assert!((draw("a") - 0.510_294_517_656_571_1).abs() < 1e-15, "{}", draw("a"));
    }
}

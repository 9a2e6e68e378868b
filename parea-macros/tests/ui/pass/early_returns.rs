#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::{off_and_on, off_and_on_async, output};

#[parea::trace]
fn leaves(n: i32) -> Result<i32, String> {
    if n < 0 {
        return Err("negative".to_owned());
    }
    let parsed: i32 = n.to_string().parse().map_err(|_| "no number")?;
    let half = 'block: {
        if parsed % 2 == 1 {
            break 'block None;
        }
        Some(parsed / 2)
    };
    let Some(half) = half else { return Ok(-1) };
    let found = loop {
        match half {
            0 => return Ok(0),
            half => break half,
        }
    };
    let closure = || -> Result<i32, String> { Err("inner".to_owned())? };
    assert!(closure().is_err());
    for n in 0..found {
        if n == 3 {
            return Ok(n);
        }
    }
    Ok(found)
}

#[parea::trace]
fn optional(text: &str) -> Option<char> {
    let first = text.chars().next()?;
    first.is_alphabetic().then_some(first)
}

#[parea::trace]
async fn leaves_later(n: i32) -> Result<i32, Box<dyn std::error::Error + Send + Sync>> {
    if n == 0 {
        return Ok(0);
    }
    let n = leaves(n)?;
    let inner = async { Err::<i32, _>("inner") };
    assert!(inner.await.is_err());
    tokio::task::yield_now().await;
    if n > 2 {
        Err("too much")?;
    }
    Ok(n)
}

#[parea::trace]
fn returns_unit(n: u8) {
    if n == 0 {
        return;
    }
    match n {
        1 => return,
        _ => (),
    }
}

#[parea::trace]
async fn diverges(n: u8) -> u8 {
    if n == 0 {
        return 1;
    } else {
        return 2;
    }
}

fn main() {
    for (n, value, shown) in [(1, -1, "-1"), (0, 0, "0"), (4, 2, "2"), (20, 3, "3")] {
        let traces = off_and_on(|| leaves(n), Ok(value), "leaves (ok)\n");
        assert_eq!(output(&traces, "leaves"), shown);
    }
    off_and_on(|| leaves(-1).is_err(), true, "leaves (error: negative)\n");
    let traces = off_and_on(|| optional(""), None, "optional (ok)\n");
    assert_eq!(output(&traces, "optional"), "(none)");
    off_and_on_async(async || leaves_later(0).await.unwrap(), 0, "leaves_later (ok)\n");
    off_and_on_async(
        async || leaves_later(-1).await.is_err(),
        true,
        "leaves_later (error: negative)\n└─ leaves (error: negative)\n",
    );
    off_and_on_async(
        async || leaves_later(20).await.is_err(),
        true,
        "leaves_later (error: too much)\n└─ leaves (ok)\n",
    );
    off_and_on(|| [0, 1, 2].map(returns_unit), [(); 3], "returns_unit (ok)\nreturns_unit (ok)\nreturns_unit (ok)\n");
    off_and_on_async(async || (diverges(0).await, diverges(1).await), (1, 2), "diverges (ok)\ndiverges (ok)\n");
}

#[parea::trace]
fn question_mark_without_result(text: &str) -> u8 {
    text.parse()?
}

#[parea::trace]
async fn question_mark_later(text: &str) {
    text.parse::<u8>()?;
}

#[parea::trace]
fn wrong_error(text: &str) -> Result<u8, String> {
    Ok(text.parse::<u8>()?)
}

#[parea::trace]
fn nothing_returned(n: u8) -> Result<u8, String> {
    if n > 1 {
        return Err("much".to_owned());
    }
}

#[parea::trace]
async fn await_of_no_future(n: u8) -> u8 {
    n.await
}

#[parea::trace]
fn await_in_plain(n: u8) -> u8 {
    std::future::ready(n).await
}

#[parea::trace]
async fn unknown_type(n: Unknown) -> Missing {
    n
}

#[parea::trace]
fn unknown_method(n: u8) -> u8 {
    n.no_such_method()
}

fn main() {}

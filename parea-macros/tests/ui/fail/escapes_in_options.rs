#[parea::trace(target = text.parse::<u32>()?.to_string(), session_id = { return Ok(0) })]
fn f(text: &str) -> Result<u32, std::num::ParseIntError> {
    text.parse()
}

#[parea::trace(metadata(answer = later().await))]
async fn g() {}

async fn later() -> u32 {
    1
}

fn main() {}

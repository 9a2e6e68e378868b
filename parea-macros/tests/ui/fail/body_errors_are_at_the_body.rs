#[parea::trace]
fn sync(n: u32) -> String {
    if n > 1 {
        return n;
    }
    n + 1
}

#[parea::trace]
async fn later(n: u32) -> Result<String, std::io::Error> {
    if n > 1 {
        return Ok(n);
    }
    undefined(n);
    n
}

#[parea::trace]
async fn no_value(n: u32) -> String {
    n.to_string();
}

fn main() {}

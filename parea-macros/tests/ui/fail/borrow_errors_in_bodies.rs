#[parea::trace]
fn returns_a_local(n: u8) -> &'static u8 {
    &n
}

#[parea::trace]
fn two_borrows(items: &mut Vec<u8>) -> u8 {
    let first = &items[0];
    items.push(1);
    *first
}

#[parea::trace]
async fn moved_later(text: String) -> usize {
    drop(text);
    text.len()
}

#[parea::trace]
fn not_mutable(text: String) {
    text.push('a');
}

#[parea::trace]
fn short<'a>(one: &'a str, other: &str) -> &'a str {
    if one.is_empty() { other } else { one }
}

fn main() {}

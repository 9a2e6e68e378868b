#[parea::trace(tags = [tag])]
fn moved_by_a_tag(tag: String) -> String {
    tag
}

#[parea::trace(metadata(last = items.pop()))]
fn changed_by_metadata(items: Vec<u8>) -> usize {
    items.len()
}

#[parea::trace(output = |text| { *text = 1; })]
fn changed_by_output(n: u64) -> u64 {
    n
}

fn main() {}

#[parea::trace(tags = [{ return }], inputs(a = text.parse::<u8>()?), deployment_id = later().await)]
async fn every_way(text: &str) {
    let _ = text;
}

#[parea::trace(apply_eval_frac = { if fraction > 1.0 { return Err(()) } fraction })]
fn nested(fraction: f64) -> Result<(), ()> {
    let _ = fraction;
    Ok(())
}

// Within closures and blocks of their own they are at home.
#[parea::trace(tags = [(|| -> Option<&str> { Some(text.get(1..)?) })().unwrap_or_default()])]
fn at_home(text: &str) {
    let _ = text;
}

async fn later() -> u8 {
    1
}

fn main() {}

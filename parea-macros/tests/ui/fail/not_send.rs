use std::rc::Rc;

#[parea::trace]
async fn f() {
    let held = Rc::new(1);
    std::future::ready(()).await;
    drop(held);
}

fn is_send(_: impl Send) {}

fn main() {
    is_send(f());
}

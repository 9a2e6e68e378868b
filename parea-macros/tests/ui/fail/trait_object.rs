trait Model {
    #[parea::trace]
    async fn complete(&self) -> u8 {
        1
    }
}

impl Model for () {}

fn main() {
    let _: Box<dyn Model> = Box::new(());
}

#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::{off_and_on, off_and_on_async};

trait Shape {
    const SIDES: u32;
    type Unit: std::fmt::Debug + Default;

    fn area(&self) -> u32;

    #[parea::trace(metadata(sides = Self::SIDES))]
    fn doubled(&self) -> u32 {
        2 * self.area()
    }

    #[parea::trace]
    fn unit(_: &Self) -> Self::Unit {
        Self::Unit::default()
    }

    #[parea::trace]
    fn into_sides(self) -> u32
    where
        Self: Sized,
    {
        Self::SIDES
    }
}

struct Square(u32);

impl Shape for Square {
    const SIDES: u32 = 4;
    type Unit = u8;

    #[parea::trace]
    fn area(&self) -> u32 {
        self.0 * self.0
    }
}

trait Ask<T> {
    async fn ask(&self, question: T) -> usize;

    fn promise(&self, question: T) -> impl Future<Output = usize> + Send;

    #[parea::trace]
    async fn twice(&self, question: T) -> usize
    where
        T: Clone,
    {
        self.ask(question.clone()).await + self.ask(question).await
    }
}

impl<T: ToString + Send> Ask<T> for Square {
    #[parea::trace]
    async fn ask(&self, question: T) -> usize {
        tokio::task::yield_now().await;
        question.to_string().len()
    }

    #[parea::trace]
    async fn promise(&self, question: T) -> usize {
        tokio::task::yield_now().await;
        question.to_string().len()
    }
}

/// Methods of a trait that is used as an object.
trait Named {
    #[parea::trace]
    fn name(&self) -> String {
        "nobody".to_owned()
    }
}

impl Named for u8 {}
impl Named for u16 {
    #[parea::trace(name = "u16::name")]
    fn name(&self) -> String {
        self.to_string()
    }
}

fn is_send<T: Send>(future: T) -> T {
    future
}

fn main() {
    let traces = off_and_on(
        || Square(3).doubled() + Square(1).into_sides() + u32::from(Square::unit(&Square(1))),
        18 + 4,
        "doubled (ok)\n└─ area (ok)\ninto_sides (ok)\nunit (ok)\n",
    );
    assert_eq!(traces.log("doubled").metadata.as_ref().unwrap()["sides"], "4");
    off_and_on_async(
        async || Square(0).twice("four").await + is_send(Square(0).promise(7)).await,
        9,
        "twice (ok)\n├─ ask (ok)\n└─ ask (ok)\npromise (ok)\n",
    );
    off_and_on(
        || [&1_u8 as &dyn Named, &2_u16].map(|named| named.name()).concat(),
        "nobody2".to_owned(),
        "name (ok)\nu16::name (ok)\n",
    );
}

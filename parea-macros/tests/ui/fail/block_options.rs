struct S;

#[parea::trace(inputs(a = 1), output = |o| o, output_for_eval_metrics = |o| o, stream(join), name = "n")]
impl S {
    fn f(&self) {}
}

#[parea::trace]
impl S {
    #[trace(name = "one")]
    #[parea::trace(tags = ["two"])]
    fn twice(&self) {}

    #[trace(nmae = "x")]
    fn misspelt(&self) {}

    #[trace(skip())]
    fn fine(&self) {}
}

fn main() {
    S.f();
    S.twice();
    S.misspelt();
    S.fine();
}

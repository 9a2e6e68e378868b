//! The real compiler on programs of users: what must compile without a warning, and what must be refused with an
//! error on the right token. After a wanted change of a message: `TRYBUILD=overwrite cargo test -p parea-macros`.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.pass("tests/ui/eval/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}

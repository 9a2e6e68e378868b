//! What the attribute makes of each kind of function, printed: every change of the generated code is seen in review.
//! After a wanted change: `INSTA_UPDATE=always cargo test -p parea-macros --test expansion`.
//!
//! Only the compiler may call the attribute itself, so the modules behind it are compiled here once more.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../src/annotation.rs"]
mod annotation;
#[path = "../src/args.rs"]
mod args;
#[path = "../src/block.rs"]
mod block;
#[path = "../src/expand.rs"]
mod expand;
#[path = "../src/fallback.rs"]
mod fallback;
#[path = "../src/item.rs"]
mod item;
#[path = "../src/returns.rs"]
mod returns;
#[path = "../src/setting.rs"]
#[expect(dead_code, reason = "part of it is for the attributes that are not printed here")]
mod setting;
#[path = "../src/suggest.rs"]
mod suggest;
#[path = "../src/validate.rs"]
mod validate;

use proc_macro2::TokenStream;

/// One of each kind: what names it, the options, the item.
const KINDS: &[(&str, &str, &str)] = &[
    ("plain", "", "pub(crate) fn plain(question: &str, k: u32) -> Result<String, Error> { call(question, k)? }"),
    ("no_arguments", "", "fn no_arguments() { work(); }"),
    ("later", "", "async fn later(&self, prompt: String) -> Result<String, Error> { self.call(prompt).await }"),
    ("must_be_used", "", "#[must_use] async fn must_be_used(n: u8) -> u8 { n }"),
    ("never", "", "fn never(message: &str) -> ! { panic!(\"{message}\") }"),
    (
        "patterns",
        "",
        "fn patterns(mut self, Point { x, y: ref why }: Point, #[cfg(unix)] _: u8, (mut a, _b): (u8, u8)) {}",
    ),
    ("future", "", "fn future(n: u8) -> impl Future<Output = u8> + Send { let m = n; async move { m } }"),
    ("boxed_future", "", "fn boxed_future(&self) -> BoxFuture<'_, u8> { Box::pin(async { 1 }) }"),
    ("stream", "", "fn stream(n: u8) -> impl Stream<Item = u8> { iter(0..n) }"),
    (
        "model_call",
        "stream(with = Answer::push), output = |answer| answer.text.len()",
        "async fn model_call(&self, prompt: &str) -> Result<BoxStream<'_, Result<Chunk, Error>>, Error> { self.post(prompt).await }",
    ),
    ("iterator", "stream(collect)", "fn iterator(n: u8) -> Box<dyn Iterator<Item = u8>> { Box::new(0..n) }"),
    ("behind_an_alias", "stream", "fn behind_an_alias() -> Result<Tokens, Error> { open() }"),
    ("silent", "log_omit_inputs, log_omit_outputs", "async fn silent(secret: Secret) -> Secret { secret }"),
    (
        "every_option",
        "name = \"named\", tags = [\"t\", query], metadata(size = query.len()), session_id = id, end_user_identifier = id, \
         target = query, skip(secret), inputs(query = query.len(), extra = 1), output = |text| text.len(), \
         output_for_eval_metrics = String::len, deployment_id = \"p\", evaluation_metric_names = [\"e\"], \
         apply_eval_frac = 0.5, log_sample_rate = 1, boxed, crate = my::parea",
        "async fn every_option(query: &str, id: u64, secret: &str) -> String { ask(query, id, secret).await }",
    ),
    (
        "block",
        "skip(self), tags = [\"store\"]",
        "impl<T> Store<T> { const LIMIT: usize = 2; fn get(&self, index: usize) -> Option<&T> { self.items.get(index) } \
         #[trace(skip)] fn size(&self) -> usize { 0 } }",
    ),
    ("refused", "nmae = \"x\"", "const fn refused(n: u8) -> u8 { n }"),
];

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap()
}

fn expanded(enabled: bool, options: &str, item: &str) -> TokenStream {
    annotation::apply(enabled, tokens(options), tokens(item))
}

#[test]
fn each_kind_of_function() {
    for (name, options, item) in KINDS {
        let printed = prettyplease::unparse(&syn::parse2(expanded(true, options, item)).unwrap());
        insta::with_settings!({ description => format!("#[trace({options})] {item}"), omit_expression => true }, {
            insta::assert_snapshot!(*name, printed);
        });
    }
}

#[test]
fn it_is_one_static_and_one_call_around_the_body_and_one_to_capture_inputs() {
    for (name, options, item) in KINDS.iter().filter(|(name, ..)| !["block", "refused"].contains(name)) {
        let text = expanded(true, options, item).to_string();
        assert_eq!(text.matches("static __PAREA_SITE").count(), 1, "{name}");
        let calls = text.matches("(& __PAREA_SITE ,").count();
        let captures_inputs = !["no_arguments", "silent", "behind_an_alias"].contains(name);
        assert_eq!(calls, if captures_inputs { 2 } else { 1 }, "{name}");
        // The body stands once; `#[cfg(doc)]` has the signature alone.
        let body = item.rsplit_once(") {").or_else(|| item.split_once(" { ")).unwrap().1;
        assert!(
            text.contains(tokens(&format!("{{ {body}")).to_string().trim_matches(['{', '}', ' '])),
            "{name}: {text}"
        );
    }
}

#[test]
fn switched_off_an_item_is_as_it_was_written() {
    for (name, options, item) in KINDS {
        let written = tokens(&item.replace("#[trace(skip)]", "")).to_string();
        assert_eq!(expanded(false, options, item).to_string(), written, "{name}");
        // Whatever the options are.
        assert_eq!(expanded(false, "no such = option, 5", item).to_string(), written, "{name}");
    }
}

#[test]
fn what_cannot_be_traced_is_still_emitted() {
    for (options, item) in [
        ("no such option", "fn fine(n: u8) -> u8 { n }"),
        ("", "fn no_body(n: u8)"),
        ("", "fn unknown<grammar of a later edition> { body }"),
        ("", "struct S;"),
        ("", "impl S { const fn constant(&self) {} unknown grammar; fn other(&self) { body } }"),
        ("", ""),
    ] {
        let emitted = expanded(true, options, item).to_string();
        assert!(emitted.contains("compile_error"), "{item}: {emitted}");
        assert!(emitted.ends_with(&tokens(item).to_string()), "{item}: {emitted}");
    }
    // Syntax in a body is the compiler's business.
    let item = "fn later() -> u8 { let x = become do yeet { %% } $ ; }";
    let emitted = expanded(true, "", item).to_string();
    assert!(!emitted.contains("compile_error") && emitted.contains("become do yeet { %% } $ ;"), "{emitted}");
}

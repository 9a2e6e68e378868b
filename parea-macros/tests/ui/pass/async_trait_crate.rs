#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::off_and_on_async;

#[async_trait::async_trait]
trait Model: Sync {
    async fn complete(&self, prompt: String) -> Result<String, std::fmt::Error>;

    #[parea::trace]
    async fn twice(&self, prompt: &str) -> Result<String, std::fmt::Error> {
        Ok(self.complete(prompt.to_owned()).await? + &self.complete(prompt.to_owned()).await?)
    }
}

/// The attribute on methods below.
struct Echo;

#[async_trait::async_trait]
impl Model for Echo {
    #[parea::trace]
    async fn complete(&self, prompt: String) -> Result<String, std::fmt::Error> {
        tokio::task::yield_now().await;
        Ok(prompt)
    }
}

/// The attribute on the block, above and below the other macro.
struct Above;

#[parea::trace]
#[async_trait::async_trait]
impl Model for Above {
    async fn complete(&self, prompt: String) -> Result<String, std::fmt::Error> {
        Err(std::fmt::Error).or_else(|error| if prompt.is_empty() { Err(error) } else { Ok(prompt) })
    }
}

struct Below;

#[async_trait::async_trait]
#[parea::trace]
impl Model for Below {
    async fn complete(&self, _: String) -> Result<String, std::fmt::Error> {
        Err(std::fmt::Error)
    }
}

#[async_trait::async_trait(?Send)]
trait Local {
    #[parea::trace]
    async fn run(&mut self, by: &mut u32) -> u32 {
        *by += 1;
        std::rc::Rc::new(*by).checked_add(1).unwrap_or_default()
    }
}

impl Local for () {}

fn main() {
    let models: [Box<dyn Model>; 2] = [Box::new(Echo), Box::new(Above)];
    off_and_on_async(
        async || {
            let mut all = String::new();
            for model in &models {
                all += &model.twice("a").await.unwrap();
            }
            assert!(Below.complete(String::new()).await.is_err());
            (all, ().run(&mut 1).await)
        },
        ("aaaa".to_owned(), 3),
        "twice (ok)\n├─ complete (ok)\n└─ complete (ok)\ntwice (ok)\n├─ Above::complete (ok)\n└─ Above::complete \
         (ok)\nBelow::complete (error: an error occurred when formatting an argument)\nrun (ok)\n",
    );
}

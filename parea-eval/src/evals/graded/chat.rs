//! Conversations.

use parea_runtime::types::{Message, MessageContent, Role};

use super::{GradingError, parts, yes_or_no};
use crate::{Log, evals::Judge};

/// How directly users reached their goals in the log's conversation (`configuration.messages`): the mean over goals of
/// `2 / messages`, since a goal takes one question and one answer at least. 0 to 1; no score without a user's message.
///
/// The judge tells at each further message of the user's whether it goes on about the same goal.
pub fn goal_success_ratio(
    judge: impl Judge,
) -> impl AsyncFn(&Log) -> Result<Option<f64>, GradingError> + Send + Sync + 'static {
    const TASK: &str = "You read a conversation of a user with an assistant. The verdict is yes if the user's last message \
                        still pursues the same goal as before, because it was not reached yet, and no if it starts a new one.";
    async move |log: &Log| {
        let messages: Vec<&Message> = log.configuration.messages.iter().flatten().collect();
        let turns: Vec<&Message> =
            messages.into_iter().filter(|message| matches!(message.role, Role::User | Role::Assistant)).collect();
        let Some(first) = turns.iter().position(|message| message.role == Role::User) else { return Ok(None) };
        let mut goals = Vec::new();
        let mut said = String::new();
        let mut length = 0_usize;
        for (place, message) in turns[first..].iter().enumerate() {
            let who = if message.role == Role::User { "user" } else { "assistant" };
            let line = format!("{who}: {}\n", text(&message.content));
            if place > 0 && message.role == Role::User {
                let parts = parts(&[("conversation", &said), ("last_message", &line)]);
                if !yes_or_no(&judge, TASK, parts).await?.said {
                    goals.push(length);
                    (said, length) = (String::new(), 0);
                }
            }
            said.push_str(&line);
            length += 1;
        }
        goals.push(length);
        // A goal that was stated and not answered took at least the answer that is missing.
        let ratios = goals.iter().map(|messages| 2.0 / (*messages).max(2) as f64);
        Ok(Some(ratios.sum::<f64>() / goals.len() as f64))
    }
}

fn text(content: &MessageContent) -> String {
    match content {
        MessageContent::Text(text) => text.clone(),
        MessageContent::Parts(parts) => serde_json::to_string(parts).unwrap_or_default(),
    }
}

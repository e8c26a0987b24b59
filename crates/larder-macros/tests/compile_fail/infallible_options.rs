#[larder::cached(stale_if_error = "7d")]
async fn answer(question: &str) -> String {
    question.to_owned()
}

#[larder::cached(negative_ttl = "30s")]
async fn second_answer(question: &str) -> String {
    question.to_owned()
}

#[larder::cached(hard_timeout = "2s")]
fn third_answer(question: &str) -> Result<String, ()> {
    Ok(question.to_owned())
}

fn main() {}

#[larder::cached(key = "answer:{query}")]
async fn answer(question: &str) -> String {
    question.to_owned()
}

fn main() {}

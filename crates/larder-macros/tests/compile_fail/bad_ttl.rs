#[larder::cached(ttl = "2 days")]
async fn answer(question: &str) -> String {
    question.to_owned()
}

fn main() {}

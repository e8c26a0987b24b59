#[larder::cached(ttl = "48h")]
async fn answer(question: &str) -> &str {
    question
}

fn main() {}

#[larder::cached(ttl = 48h)]
async fn answer(question: &str) -> String {
    question.to_owned()
}

fn main() {}

#[larder::cached(ttl = "48h")]
async fn answer<T: ToString>(question: T) -> String {
    question.to_string()
}

fn main() {}

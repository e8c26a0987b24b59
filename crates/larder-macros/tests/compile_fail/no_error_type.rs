#[larder::cached(ttl = "48h")]
async fn answer(question: &str) -> std::io::Result<String> {
    Ok(question.to_owned())
}

fn main() {}

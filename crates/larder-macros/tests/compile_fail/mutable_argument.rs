#[larder::cached(ttl = "48h")]
async fn answer(question: &mut String) -> usize {
    question.push('?');
    question.len()
}

struct Oracle;

impl Oracle {
    #[larder::cached(key = "")]
    async fn answer(&mut self) -> usize {
        42
    }
}

fn main() {}

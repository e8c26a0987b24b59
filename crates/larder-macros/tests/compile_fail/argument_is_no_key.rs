struct Question;

#[larder::cached(ttl = "48h")]
async fn answer(question: Question) -> String {
    let Question = question;
    String::new()
}

fn main() {}

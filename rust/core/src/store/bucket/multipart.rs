//! Many requests in one, as Azure and Google Cloud Storage take them: `multipart/mixed`, a part for each.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use object_store::client::HttpRequest;

use super::dialect::{Answer, KeyOutcome, Malformed};

/// What separates parts. Keys are encoded in them, and nothing else of it is the operator's, so that it cannot occur.
const BOUNDARY: &str = "regsweep-batch-6f1d2b3c4a59";

/// The body that holds some requests without bodies, numbered in order, and its content type.
pub(super) fn body(requests: &[HttpRequest]) -> (Vec<u8>, String) {
    let mut body = Vec::with_capacity(requests.len() * 512);
    for (number, request) in requests.iter().enumerate() {
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let head = format!(
            "--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\
             Content-ID: {number}\r\n\r\n{} {path} HTTP/1.1\r\n",
            request.method()
        );
        body.extend_from_slice(head.as_bytes());
        for (name, value) in request.headers() {
            body.extend_from_slice(name.as_str().as_bytes());
            body.extend_from_slice(b": ");
            body.extend_from_slice(value.as_bytes());
            body.extend_from_slice(b"\r\n");
        }
        // One ends the head, and one belongs to the boundary that follows.
        body.extend_from_slice(b"\r\n\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    (body, format!("multipart/mixed; boundary={BOUNDARY}"))
}

/// What became of each of `count` removals, from the parts of an answer.
pub(super) fn read(
    answer: &Answer,
    count: usize,
    explain: impl Fn(&[u8]) -> (String, String),
) -> Result<Vec<KeyOutcome>, Malformed> {
    let boundary = boundary(&answer.headers).ok_or(Malformed("the store's answer to a batch has no parts"))?;
    let delimiter = format!("--{boundary}");
    let unsaid = || KeyOutcome::Again("the store did not say what became of it".to_owned());
    let mut outcomes: Vec<KeyOutcome> = std::iter::repeat_with(unsaid).take(count).collect();
    let starts: Vec<usize> = memchr::memmem::find_iter(&answer.body, delimiter.as_bytes()).collect();
    for pair in starts.windows(2) {
        let part = &answer.body[pair[0] + delimiter.len()..pair[1]];
        let Some((number, status, body)) = read_part(part) else { continue };
        if let Some(outcome) = outcomes.get_mut(number) {
            *outcome = self::outcome(status, body, &explain);
        }
    }
    Ok(outcomes)
}

fn boundary(headers: &HeaderMap) -> Option<&str> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let (_, rest) = kind.split_once("boundary=")?;
    Some(rest.split(';').next()?.trim().trim_matches('"'))
}

/// Number, status and body of a part.
fn read_part(part: &[u8]) -> Option<(usize, u16, &[u8])> {
    let start = memchr::memmem::find(part, b"HTTP/1.")?;
    let (head, response) = part.split_at(start);
    let head = std::str::from_utf8(head).ok()?;
    // Google answers with `<response-7>` and the like.
    let id = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-id").then(|| value.trim().trim_matches(['<', '>']))
    })?;
    let digits = id.rsplit(|character: char| !character.is_ascii_digit()).next()?;
    let status = std::str::from_utf8(response.get(9..12)?).ok()?.parse().ok()?;
    let body = memchr::memmem::find(response, b"\r\n\r\n").map_or(&b""[..], |end| &response[end + 4..]);
    Some((digits.parse().ok()?, status, body))
}

/// What the answer to one removal says.
pub(super) fn outcome(status: u16, body: &[u8], explain: &impl Fn(&[u8]) -> (String, String)) -> KeyOutcome {
    let text = || {
        let (code, message) = explain(body);
        format!("{status} {code} {message}").trim().to_owned()
    };
    match status {
        200..300 => KeyOutcome::Removed,
        404 => KeyOutcome::Absent,
        408 | 429 | 500..600 => KeyOutcome::Again(text()),
        _ => KeyOutcome::Failed(text()),
    }
}

#[cfg(test)]
mod tests {
    use http::{Method, StatusCode};

    use super::super::dialect::request;
    use super::*;

    #[test]
    fn each_request_is_a_part() {
        let requests = ["a", "b"].map(|key| request(Method::DELETE, &format!("http://h/c/{key}?x=1"), Vec::new()));
        let (body, kind) = body(&requests);
        let body = String::from_utf8(body).unwrap();
        assert!(kind.contains(BOUNDARY));
        assert!(body.contains("Content-ID: 1\r\n\r\nDELETE /c/b?x=1 HTTP/1.1\r\n\r\n\r\n--"));
        assert_eq!(body.matches(&format!("--{BOUNDARY}")).count(), 3);
    }

    #[test]
    fn each_part_of_the_answer_is_about_the_request_of_its_number() {
        let part = |id: &str, answer: &str| {
            format!(
                "--x\r\nContent-Type: application/http\r\nContent-ID: {id}\r\n\r\nHTTP/1.1 {answer}\r\nA: b\r\n\r\nbody\r\n"
            )
        };
        let body = [
            part("<response-2>", "404 Not Found"),
            part("0", "202 Accepted"),
            part("1", "503 Busy"),
            part("9", "200 OK"),
        ];
        let body = body.concat() + "--x--\r\n";
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "multipart/mixed; boundary=\"x\"".parse().unwrap());
        let answer = Answer { status: StatusCode::OK, headers, body: body.into() };
        let outcomes = read(&answer, 4, |_| (String::new(), String::new())).unwrap();
        assert_eq!((&outcomes[0], &outcomes[2]), (&KeyOutcome::Removed, &KeyOutcome::Absent));
        assert!(matches!(outcomes[1], KeyOutcome::Again(_)) && matches!(outcomes[3], KeyOutcome::Again(_)));
        let plain = Answer { status: StatusCode::OK, headers: HeaderMap::new(), body: "x".into() };
        assert!(read(&plain, 1, |_| (String::new(), String::new())).is_err());
    }
}

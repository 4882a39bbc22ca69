//! The rules of the liveness table, and the agreement of both readers.

use proptest::prelude::*;

use super::*;

const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A digest that is different for each `n`.
fn digest(n: u32) -> Digest {
    Digest::of(Algorithm::ALL[n as usize % 3], &n.to_le_bytes())
}

/// Reads with both readers, which must agree, into references that were not empty before.
fn parse(content: impl AsRef<[u8]>) -> (Shape, Vec<Reference>) {
    let content = content.as_ref();
    let before = Reference { role: Role::Config, digest: digest(999) };
    let (mut fast, mut plain) = (vec![before], vec![before]);
    let shape = Parser::new().parse(content, &mut fast);
    assert_eq!(shape, parse_plain(content, &mut plain), "{:?}", String::from_utf8_lossy(content));
    assert_eq!(fast, plain, "{:?}", String::from_utf8_lossy(content));
    assert_eq!(fast.remove(0), before);
    (shape, fast)
}

fn references(expected: &[(Role, u32)]) -> Vec<Reference> {
    expected.iter().map(|&(role, n)| Reference { role, digest: digest(n) }).collect()
}

/// A descriptor with more members (`, "key": …`).
fn descriptor(n: u32, more: &str) -> String {
    format!(r#"{{"digest": "{}", "size": {n}{more}}}"#, digest(n))
}

/// An image with configuration 0 and layers 1 and 2, where more members can be put at both places.
fn image(top: &str, layer: &str) -> String {
    format!(
        r#"{{"schemaVersion": 2, "config": {}, "layers": [{}, {}]{top}}}"#,
        descriptor(0, ""),
        descriptor(1, ""),
        descriptor(2, layer)
    )
}

const IMAGE: [(Role, u32); 3] = [(Role::Config, 0), (Role::Layer, 1), (Role::Layer, 2)];
const UNKNOWN_IMAGE: [(Role, u32); 3] = [(Role::Any, 0), (Role::Any, 1), (Role::Any, 2)];

#[test]
fn images_refer_to_configuration_then_layers() {
    let media_types = [OCI_IMAGE, DOCKER_IMAGE, ""].map(|media_type| format!(r#", "mediaType": "{media_type}""#));
    for top in media_types.iter().map(String::as_str).chain([
        "",
        r#", "mediaType": null, "subject": null, "annotations": null"#,
        r#", "artifactType": "application/x", "annotations": {"org.example": "sha256:", "b": null}"#,
    ]) {
        assert_eq!(parse(image(top, "")), (Shape::Image, references(&IMAGE)), "{top}");
    }
    let layers_first = format!(
        r#"{{"layers": [{}], "subject": {}, "config": {}, "schemaVersion": 2}}"#,
        descriptor(1, ""),
        descriptor(3, ""),
        descriptor(0, "")
    );
    let expected = references(&[(Role::Config, 0), (Role::Layer, 1), (Role::Subject, 3)]);
    assert_eq!(parse(layers_first), (Shape::Image, expected));
}

#[test]
fn image_may_have_no_layers() {
    for layers in ["", r#", "layers": []"#, r#", "layers": null"#] {
        let content = format!(r#"{{"schemaVersion": 2, "config": {}{layers}}}"#, descriptor(0, ""));
        assert_eq!(parse(content), (Shape::Image, references(&[(Role::Config, 0)])));
    }
}

#[test]
fn descriptors_may_have_all_that_the_specification_knows_and_harmless_other_keys() {
    for more in [
        r#", "mediaType": "application/x", "annotations": {"a": "b"}, "data": "e30=", "artifactType": "x""#,
        r#", "platform": {"architecture": "arm64", "os": "linux", "os.features": ["a"], "variant": "v8"}"#,
        r#", "urls": [], "annotations": null, "platform": null, "data": null"#,
        r#", "urls": null, "whatever": [1, 2.5, true, {"a": "sha256:nothing"}], "whatever": 0"#,
    ] {
        assert_eq!(parse(image("", more)), (Shape::Image, references(&IMAGE)), "{more}");
    }
}

#[test]
fn layers_that_live_elsewhere_are_foreign() {
    for more in [
        r#", "urls": ["https://example.com/layer"]"#,
        r#", "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip""#,
        r#", "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd""#,
    ] {
        let expected = references(&[(Role::Config, 0), (Role::Layer, 1), (Role::ForeignLayer, 2)]);
        assert_eq!(parse(image("", more)), (Shape::Image, expected), "{more}");
    }
}

#[test]
fn entries_of_an_index_are_children_by_their_media_type() {
    let typed = |n, media_type| descriptor(n, &format!(r#", "mediaType": "{media_type}""#));
    let entries = [
        typed(0, OCI_IMAGE),
        typed(1, OCI_INDEX),
        typed(2, DOCKER_IMAGE),
        typed(3, DOCKER_LIST),
        typed(4, "application/vnd.docker.distribution.manifest.v1+json"),
        typed(5, "application/vnd.oci.image.layer.v1.tar+gzip"),
        descriptor(6, ""),
    ];
    let expected = references(&[
        (Role::Child, 0),
        (Role::Child, 1),
        (Role::Child, 2),
        (Role::Child, 3),
        (Role::ChildOrBlob, 4),
        (Role::ChildOrBlob, 5),
        (Role::ChildOrBlob, 6),
        (Role::Subject, 7),
    ]);
    for media_type in [OCI_INDEX, DOCKER_LIST, ""] {
        let content = format!(
            r#"{{"subject": {}, "mediaType": "{media_type}", "manifests": [{}], "schemaVersion": 2}}"#,
            descriptor(7, ""),
            entries.join(",")
        );
        assert_eq!(parse(content), (Shape::Index, expected.clone()), "{media_type}");
    }
}

#[test]
fn index_may_be_empty() {
    for content in [
        r#"{"schemaVersion": 2, "manifests": []}"#.to_owned(),
        format!(r#"{{"schemaVersion": 2, "mediaType": "{OCI_INDEX}", "manifests": null}}"#),
        format!(r#"{{"schemaVersion": 2, "mediaType": "{DOCKER_LIST}"}}"#),
    ] {
        assert_eq!(parse(&content), (Shape::Index, vec![]), "{content}");
    }
}

#[test]
fn schema_1_refers_to_its_layers() {
    let content = format!(
        r#"{{"schemaVersion": 1, "name": "a/b", "tag": "latest", "architecture": "amd64",
            "fsLayers": [{{"blobSum": "{0}"}}, {{"blobSum": "{1}"}}, {{"blobSum": "{0}"}}],
            "history": [{{"v1Compatibility": "{{\"Image\":\"{2}\"}}"}}],
            "signatures": [{{"header": {{"alg": "ES256"}}, "signature": "x", "protected": "y"}}]}}"#,
        digest(0),
        digest(1),
        digest(2)
    );
    let expected = references(&[(Role::Layer, 0), (Role::Layer, 1), (Role::Layer, 0)]);
    assert_eq!(parse(&content), (Shape::Schema1, expected));

    for (from, to) in [
        ("\"schemaVersion\": 1", "\"schemaVersion\": 2"),
        ("\"blobSum\"", "\"blobsum\""),
        ("\"tag\"", "\"Tag\""),
        ("\"fsLayers\": [", "\"fsLayers\": [null, "),
        ("\"fsLayers\": [", "\"fslayers\": ["),
        ("\"tag\": \"latest\"", "\"mediaType\": \"application/x\""),
        ("\"tag\": \"latest\"", "\"tag\": 1"),
    ] {
        let (shape, found) = parse(content.replace(from, to));
        let expected = references(&[(Role::Any, 0), (Role::Any, 1), (Role::Any, 0), (Role::Any, 2)]);
        assert_eq!((shape, found), (Shape::Unknown, expected), "{to}");
    }
    assert_eq!(parse(r#"{"schemaVersion": 1, "name": "a"}"#).0, Shape::Unknown);
}

#[test]
fn doubt_about_the_top_level_keeps_every_digest() {
    for top in [
        r#", "mediaType": "application/vnd.example""#.to_owned(),
        format!(r#", "mediaType": "{OCI_INDEX}""#),
        r#", "mediaType": 1"#.to_owned(),
        r#", "manifests": null"#.to_owned(),
        r#", "manifests": []"#.to_owned(),
        r#", "fsLayers": null"#.to_owned(),
        r#", "tag": null"#.to_owned(),
        r#", "whatever": 1"#.to_owned(),
        r#", "Layers": []"#.to_owned(),
        r#", "layerſ": []"#.to_owned(),
        r#", "layer\u017f": []"#.to_owned(),
        r#", "Config": null"#.to_owned(),
        r#", "layers": null"#.to_owned(),
        r#", "mediaType": "", "mediaType": """#.to_owned(),
        r#", "schemaVersion": 2"#.to_owned(),
        r#", "annotations": {"a": 1}"#.to_owned(),
        r#", "annotations": []"#.to_owned(),
        r#", "artifactType": {}"#.to_owned(),
        r#", "subject": {}"#.to_owned(),
        r#", "subject": "x""#.to_owned(),
    ] {
        assert_eq!(parse(image(&top, "")), (Shape::Unknown, references(&UNKNOWN_IMAGE)), "{top}");
    }
    for version in ["1", "3", "2.0", "-2", "\"2\"", "null", "[2]"] {
        let content = image("", "").replace("\"schemaVersion\": 2", &format!("\"schemaVersion\": {version}"));
        assert_eq!(parse(content), (Shape::Unknown, references(&UNKNOWN_IMAGE)), "{version}");
    }
    assert_eq!(parse(image("", "").replace("\"schemaVersion\": 2, ", "")).0, Shape::Unknown);
}

#[test]
fn doubt_about_a_descriptor_keeps_every_digest() {
    for more in [
        r#", "digest": "x""#.to_owned(),
        format!(r#", "digest": "{}""#, digest(2)),
        format!(r#", "Digest": "{}""#, digest(2)),
        r#", "size": 1"#.to_owned(),
        r#", "mediaType": null, "mediaType": null"#.to_owned(),
        r#", "MediaType": """#.to_owned(),
        r#", "ſize": 1"#.to_owned(),
        r#", "URLs": ["x"]"#.to_owned(),
        r#", "urls": "x""#.to_owned(),
        r#", "urls": [1]"#.to_owned(),
        r#", "data": 1"#.to_owned(),
        r#", "platform": []"#.to_owned(),
        r#", "mediaType": 7"#.to_owned(),
        r#", "artifactType": 7"#.to_owned(),
        r#", "annotations": {"a": []}"#.to_owned(),
        format!(r#", "other": "{}""#, digest(2)),
        format!(r#", "other": [{{"a": ["{}"]}}]"#, digest(2)),
        format!(r#", "other": {{"{}": 1}}"#, digest(2)),
        format!(r#", "{}": 1"#, digest(2)),
        format!(r#", "platform": {{"x": "{}"}}"#, digest(2)),
    ] {
        let mut expected = references(&UNKNOWN_IMAGE);
        if more.contains(&digest(2).to_string()) {
            expected.extend(references(&[(Role::Any, 2)]));
        }
        assert_eq!(parse(image("", &more)), (Shape::Unknown, expected), "{more}");
    }
}

#[test]
fn digests_that_are_none_make_a_document_unknown() {
    for text in ["\"\"", "null", "1", "\"sha256:\"", "\"sha256:00\"", "\"md5:d41d8cd98f00b204e9800998ecf8427e\""] {
        let content = image("", "").replace(&format!("\"{}\"", digest(1)), text);
        let expected = references(&[(Role::Any, 0), (Role::Any, 2)]);
        assert_eq!(parse(content), (Shape::Unknown, expected), "{text}");
    }
    let without = image("", "").replace(&format!(r#""config": {}, "#, descriptor(0, "")), "");
    assert_eq!(parse(without), (Shape::Unknown, references(&[(Role::Any, 1), (Role::Any, 2)])));
}

#[test]
fn unknown_documents_keep_digests_in_keys_and_inside_other_text() {
    let content = format!(
        r#"{{"a": ["x@{}", {{"{}": null}}], "b": "{{\"c\":\"{}\"}}", "d": "{}0"}}"#,
        digest(0),
        digest(1),
        digest(2),
        digest(3)
    );
    let expected = references(&[(Role::Any, 0), (Role::Any, 1), (Role::Any, 2), (Role::Any, 3)]);
    assert_eq!(parse(content), (Shape::Unknown, expected));
    assert_eq!(parse("{}"), (Shape::Unknown, vec![]));
}

#[test]
fn unknown_documents_still_follow_their_subject() {
    for key in ["subject", "Subject", "\u{17f}ubject", r"\u017FUBJECT"] {
        let content = format!(
            r#"{{"mediaType": "application/vnd.oci.artifact.manifest.v1+json", "{key}": {}, "blobs": [{}]}}"#,
            descriptor(0, ""),
            descriptor(1, "")
        );
        let expected = references(&[(Role::Any, 0), (Role::Any, 1), (Role::Subject, 0)]);
        assert_eq!(parse(content), (Shape::Unknown, expected), "{key}");
    }
}

#[test]
fn duplicate_keys_keep_what_both_of_them_say() {
    let content = format!(
        r#"{{"schemaVersion": 2, "config": {}, "config": {}, "subject": {}, "subject": {}}}"#,
        descriptor(0, ""),
        descriptor(1, ""),
        descriptor(2, ""),
        descriptor(3, "")
    );
    let (shape, found) = parse(content);
    let expected = [0, 1, 2, 3].map(|n| (Role::Any, n)).into_iter().chain([(Role::Subject, 2), (Role::Subject, 3)]);
    assert_eq!((shape, found), (Shape::Unknown, references(&expected.collect::<Vec<_>>())));
}

#[test]
fn escaped_keys_and_digests_are_what_they_spell() {
    let content = image("", "").replace("sha", r"\u0073h\u0061").replace("\"layers\"", r#""l\u0061yers""#);
    assert_eq!(parse(&content), (Shape::Image, references(&IMAGE)));
    // The same where the document is damaged and only its bytes are searched.
    assert_eq!(parse(&content[..content.len() - 1]), (Shape::Damaged, references(&UNKNOWN_IMAGE)));
}

#[test]
fn what_is_no_json_object_is_damaged() {
    for content in [
        "",
        " ",
        "[]",
        "null",
        "\"x\"",
        "1",
        "true",
        "{",
        "{}}",
        "{} x",
        "{}\0",
        "\u{feff}{}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":NaN}",
        "{\"a\":tru}",
        "{\"a\":nullx}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\0\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\\ud800\\u0041\"}",
        "{\"\\ud800\":1}",
        "{\"a\":\"\\u00g0\"}",
        "{}\u{c}",
        "{} // x",
    ] {
        assert_eq!(parse(content), (Shape::Damaged, vec![]), "{content:?}");
    }
}

#[test]
fn odd_but_valid_json_is_unknown() {
    for content in [
        "{\"a\":-0}",
        "{\"a\":-0.0}",
        "{\"a\":0e99999999999}",
        "{\"a\":1e-99999999999}",
        "{\"a\":18446744073709551615}",
        "{\"a\":-9223372036854775808}",
        "{\"a\":9.223372036854774e18}",
        "{\"a\":\"\\u0000\\ud83d\\ude00\\/\u{7f}\u{ffff}\"}",
        "{\"\":{},\"\":[]}",
        " \t\r\n{ } \n",
        "{\"a\":\"1e999\", \"b\":1.5}",
        "{\"a\\\\\":\"\\\\\\\"99999999999999999999\",\"b\":1.5,\"c\":true}",
    ] {
        assert_eq!(parse(content), (Shape::Unknown, vec![]), "{content:?}");
    }
}

#[test]
fn huge_numbers_are_damage() {
    for number in [
        "18446744073709551616",
        "-9223372036854775809",
        "9223372036854775808.0",
        "-9.223372036854775808e18",
        "1e19",
        "1e308",
        "1e999",
        "123456789012345678901234567890",
        "1.7976931348623159e308",
    ] {
        let content = image(&format!(r#", "x": {{"y": [{number}]}}"#), "");
        assert_eq!(parse(content), (Shape::Damaged, references(&UNKNOWN_IMAGE)), "{number}");
        assert_eq!(parse(image("", &format!(r#", "x": {number}"#))).0, Shape::Damaged, "{number}");
    }
}

#[test]
fn nesting_ends_at_64_levels() {
    let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert_eq!(parse(nested(MAX_DEPTH)).0, Shape::Unknown);
    assert_eq!(parse(nested(MAX_DEPTH + 1)).0, Shape::Damaged);
    let objects = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    assert_eq!(parse(objects(MAX_DEPTH)).0, Shape::Unknown);
    assert_eq!(parse(objects(MAX_DEPTH + 1)).0, Shape::Damaged);
    assert_eq!(parse(vec![b'['; MAX_SIZE]), (Shape::Damaged, vec![]));
    assert_eq!(parse("{\"a\":".repeat(MAX_SIZE / 5)), (Shape::Damaged, vec![]));
}

#[test]
fn oversized_documents_are_damaged_and_still_searched() {
    assert_eq!(parse(vec![b'['; 100 << 20]), (Shape::Damaged, vec![]));
    let mut content = image("", "").into_bytes();
    content.resize(MAX_SIZE, b' ');
    assert_eq!(parse(&content), (Shape::Image, references(&IMAGE)));
    content.push(b' ');
    assert_eq!(parse(&content), (Shape::Damaged, references(&UNKNOWN_IMAGE)));
}

#[test]
fn damaged_documents_keep_every_digest_in_their_bytes() {
    let content = image("", "").into_bytes();
    let mut invalid_utf8 = content.clone();
    invalid_utf8.splice(1..1, *b"\"a\":\"\xff\",");
    assert_eq!(parse(invalid_utf8), (Shape::Damaged, references(&UNKNOWN_IMAGE)));
    for length in 0..content.len() {
        let (shape, found) = parse(&content[..length]);
        let text = String::from_utf8_lossy(&content[..length]);
        let expected = (0..3).filter(|&n| text.contains(&digest(n).to_string()));
        let expected: Vec<_> = expected.map(|n| (Role::Any, n)).collect();
        assert_eq!((shape, found), (Shape::Damaged, references(&expected)));
    }
}

#[test]
fn parser_can_be_used_again_after_anything() {
    let mut parser = Parser::new();
    let large = image(&format!(r#", "annotations": {{"a": "{}"}}"#, "x".repeat(1 << 20)), "").into_bytes();
    for content in [&large[..], b"", b"{\"a\":\"\\ud800\"}", b"[[[[", &large[..1 << 19], b"{\"a\":"] {
        parser.parse(content, &mut Vec::new());
        let mut found = Vec::new();
        assert_eq!(parser.parse(image("", "").as_bytes(), &mut found), Shape::Image);
        assert_eq!(found, references(&IMAGE));
    }
}

#[test]
fn scan_finds_digests_wherever_they_stand() {
    let scan = |text: &str| {
        let mut found = Vec::new();
        scan_digests(text.as_bytes(), &mut found);
        found
    };
    let (a, b, c) = (digest(0), digest(1), digest(2));
    let expected = references(&[(Role::Any, 0), (Role::Any, 1), (Role::Any, 2)]);
    assert_eq!(scan(&format!("{a}{b}{c}")), expected);
    assert_eq!(scan(&format!("shasha256:{a}fsha512:x-{b}shasha{c}sha")), expected);
    assert_eq!(scan(&format!("{a}\\{b}\\\\{c}")), expected);
    assert_eq!(scan(&format!(r"\u0073ha256:{}", &a.hex())), expected[..1]);
    assert_eq!(scan(&format!(r"sha256\u003A{}", &a.hex())), expected[..1]);
    assert_eq!(scan(&format!(r"sha256\u003a{}", &a.hex())), expected[..1]);
    // An escaped backslash lends nothing to what follows it.
    assert_eq!(scan(&format!(r"\\u0073ha256:{}", &a.hex())), []);
    assert_eq!(scan(&format!("sha256:{}", a.hex().to_string().to_uppercase())), []);
    assert_eq!(scan(&a.to_string()[..70]), []);
    assert_eq!(scan(r"\"), []);
    assert_eq!(scan(r"\u007"), []);
}

#[test]
fn manifests_begin_with_a_brace() {
    for content in ["{", "{}", " \t\r\n{\"a\""] {
        assert!(looks_like_manifest(content.as_bytes()), "{content:?}");
    }
    for content in ["", " ", "[", "\u{1f}\u{8b}", "\u{feff}{", "x{", "\0{"] {
        assert!(!looks_like_manifest(content.as_bytes()), "{content:?}");
    }
}

/// Keys and texts among which documents on the edge of the rules are likely.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec![
            "schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "fsLayers", "blobSum", "digest",
            "size", "urls", "annotations", "platform", "artifactType", "data", "Digest", "layerſ", "ſubject", "", OCI_IMAGE,
            OCI_INDEX, DOCKER_IMAGE, DOCKER_LIST, r"\u0064igest", r"\ud83d\ude00", r"\ud800", r"\n", r"\q",
        ]).prop_map(str::to_owned),
        3 => (0..9u32).prop_map(|n| digest(n).to_string()),
        1 => (0..9u32).prop_map(|n| format!(r"x\u0073ha256:{}", digest(n * 3).hex())),
        1 => "[ -~à-ö]{0,8}".prop_map(|text| text.replace(['"', '\\'], "")),
    ]
}

/// JSON, most of it valid.
fn json() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,22})(\\.[0-9]{1,22})?([eE][+-]?[0-9]{1,4})?";
    let leaf = prop_oneof![
        4 => text().prop_map(|text| format!("\"{text}\"")),
        1 => number,
        1 => prop::sample::select(vec!["1", "2", "true", "false", "null", "{}", "[]"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(|values| format!("[{}]", values.join(","))),
            2 => prop::collection::vec((text(), inner), 0..6).prop_map(|members| {
                let members: Vec<_> = members.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    })
}

/// Something to put where a well-formed manifest has something else, mostly nothing.
fn extra() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(String::new()),
        1 => (text(), json()).prop_map(|(key, value)| format!(r#", "{key}": {value}"#)),
    ]
}

/// A manifest of one of the three shapes and the digests in its descriptors.
fn manifest() -> impl Strategy<Value = (String, Vec<Digest>)> {
    let layers = prop::collection::vec((0..90u32, extra()), 0..6);
    (0..3u8, layers, extra(), prop::option::of(90..95u32)).prop_map(|(shape, layers, top, subject)| {
        let mut digests: Vec<Digest> = layers.iter().map(|&(n, _)| digest(n)).collect();
        digests.extend(subject.filter(|_| shape < 2).map(digest));
        let subject = subject.map(|n| format!(r#", "subject": {}"#, descriptor(n, ""))).unwrap_or_default();
        let list: Vec<_> = layers.iter().map(|(n, more)| descriptor(*n, more)).collect();
        let list = list.join(",");
        let content = match shape {
            0 => {
                digests.push(digest(99));
                let config = descriptor(99, "");
                format!(r#"{{"schemaVersion":2{subject}, "config": {config}, "layers": [{list}]{top}}}"#)
            }
            1 => format!(r#"{{"schemaVersion": 2, "manifests": [{list}]{top}{subject}}}"#),
            _ => format!(r#"{{"fsLayers": [{}], "schemaVersion": 1{top}}}"#, list.replace("digest", "blobSum")),
        };
        (content, digests)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn readers_agree_on_any_json(content in json()) {
        parse(content);
    }

    #[test]
    fn readers_agree_on_any_bytes(content in prop::collection::vec(any::<u8>(), 0..300)) {
        parse(content);
    }

    #[test]
    fn every_digest_in_a_descriptor_is_referred_to((content, digests) in manifest()) {
        let (_, found) = parse(content);
        for digest in digests {
            prop_assert!(found.iter().any(|reference| reference.digest == digest), "{digest}");
        }
    }

    #[test]
    fn readers_agree_on_mutated_manifests(
        (content, _) in manifest(),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..4),
    ) {
        let mut content = content.into_bytes();
        for (index, byte, kind) in mutations {
            let index = index.index(content.len().max(1));
            match kind {
                0 if index < content.len() => content[index] = byte,
                1 if index < content.len() => { content.remove(index); }
                _ => content.insert(index, byte),
            }
        }
        parse(content);
    }
}

#[test]
fn numbers_near_the_limit_are_told_apart_alike() {
    // serde_json rounds some of these wrongly.
    for n in 0..20_000_u64 {
        let fraction = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        parse(format!("{{\"a\":9223372036854775{:03}.{fraction}}}", n % 1000));
        parse(format!("{{\"a\":-922337203685477{:04}.{fraction}e{}}}", n % 10_000, n % 3));
        parse(format!("{{\"a\":9.22337203685477{}e18}}", 5000 + n % 1600));
    }
}

#[test]
fn parser_can_go_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Parser>();
}

//! The grammar: what is read, what is refused, and that what is printed is read as the same.

use proptest::prelude::*;

use super::*;

/// Patterns that say the same as the one they are printed as.
fn check(pattern: &str, printed: &str) {
    let tree: Pattern = pattern.parse().unwrap_or_else(|error| panic!("{pattern}: {error}"));
    assert_eq!(tree.to_string(), printed, "{pattern}");
    assert_eq!(printed.parse(), Ok(tree), "{printed}");
}

fn check_same(patterns: &[&str]) {
    for pattern in patterns {
        check(pattern, pattern);
    }
}

/// One valid pattern for each thing that other readers were found to refuse
/// (`dependencies.md` B.2.1), and the ordinary ones beside them.
#[test]
fn sixteen_valid_patterns_are_read() {
    check_same(&[
        "[ipv4-addr:value = '192.0.2.1']",
        "[domain-name:value = 'c2.example.org' OR url:value = 'http://example.org/a']",
        "[ipv4-addr:value = '192.0.2.1' AND network-traffic:dst_port IN (443, 8443)]",
        "[ipv4-addr:value = '192.0.2.1'] START t'2021-05-01T00:00:00Z' STOP t'2021-06-01T00:00:00Z'",
        "[domain-name:value = 'c2.example.org'] REPEATS 5 TIMES WITHIN 1800 SECONDS",
        "[domain-name:value NOT IN ('example.org', 'example.net')]",
        "[EXISTS file:parent_directory_ref]",
        "[artifact:payload_bin = b'dGhpcyBpcyBhIHRlc3Q=' OR file:magic_number_hex = h'ffd8']",
        "[(file:name = 'a.exe' OR file:name = 'b.exe') AND file:size > 1024]",
        "[file:extensions.'windows-pebinary-ext'.sections[*].entropy > 7.0]",
        "[process:is_hidden = true AND network-traffic:x_share < .5]",
        "[file:hashes.'SHA-256' = 'aa'] OR [file:hashes.MD5 = 'bb']",
        "[file:name = 'a'] FOLLOWEDBY [process:name = 'b']",
        "([file:name = 'a'] FOLLOWEDBY [process:name = 'b']) WITHIN 300 SECONDS",
        "[network-traffic:dst_ref.value ISSUBSET '198.51.100.0/24']",
        "[email-message:from_ref.value MATCHES '.+\\\\@example\\\\.org$' AND file:name LIKE 'Report%']",
    ]);
}

fn check_error(pattern: &str, error: &str) {
    assert_eq!(pattern.parse::<Pattern>().unwrap_err().to_string(), error, "{pattern}");
}

#[test]
fn four_invalid_patterns_are_refused() {
    check_error("file:size = 1280", "`file` at octet 0 stands where `[` is expected");
    check_error("[file:size = ]", "`]` at octet 13 stands where a value is expected");
    check_error("[file:name = 'a'", "it ends where `]` is expected");
    check_error("[file.size = 1280]", "`file` at octet 1 stands where an object path is expected");
}

#[test]
fn what_stands_for_the_same_is_printed_alike() {
    check(
        " ( [ a : b [ * ] . 'c' == 'x' ] ) // a note\n AND /* another */ [a:b<>1]",
        "[a:b[*].c = 'x'] AND [a:b != 1]",
    );
    check("[file:hashes.SHA-256 = 'aa']", "[file:hashes.'SHA-256' = 'aa']");
    check("[a:b = 'C:\\Windows\\'s']", "[a:b = 'C:\\\\Windows\\'s']");
    check("[a:b=1]AND[a:b=2]", "[a:b = 1] AND [a:b = 2]");
    check(
        "[a:b = 1] START '2021-05-01T00:00:00Z' STOP '2021-06-01T00:00:00.50Z'",
        "[a:b = 1] START t'2021-05-01T00:00:00Z' STOP t'2021-06-01T00:00:00.50Z'",
    );
    check("[((a:b = 1 AND (a:b = 2)))]", "[a:b = 1 AND a:b = 2]");
}

#[test]
fn parentheses_that_mean_something_stay() {
    check_same(&[
        "[a:b = 1 AND (a:b = 2 AND a:b = 3)]",
        "[a:b = 1 AND (a:b = 2 OR a:b = 3) OR a:b = 4]",
        "([a:b = 1] OR [a:b = 2]) AND [a:b = 3]",
        "[a:b = 1] OR [a:b = 2] AND [a:b = 3] FOLLOWEDBY [a:b = 4]",
        "[a:b = 1] OR ([a:b = 2] FOLLOWEDBY [a:b = 3])",
        "([a:b = 1] REPEATS 2 TIMES) REPEATS 3 TIMES",
        "([a:b = 1] REPEATS 2 TIMES WITHIN 5 SECONDS) REPEATS 3 TIMES",
    ]);
    // `AND` binds tighter than `OR`, and `OR` tighter than `FOLLOWEDBY`.
    check(
        "([a:b = 1] OR ([a:b = 2] AND [a:b = 3])) FOLLOWEDBY [a:b = 4]",
        "[a:b = 1] OR [a:b = 2] AND [a:b = 3] FOLLOWEDBY [a:b = 4]",
    );
}

#[test]
fn numbers_keep_their_form_and_have_one() {
    check_same(&[
        "[a:b IN (0, -0, +7, 7.50, .0001, -0.5)]",
        "[a:b = 99999999999999999999999999]",
        "[a:b[-1].c = 1]",
    ]);
    for (number, found) in [("007", "007"), ("192.0.2.1", "192.0.2.1"), ("1.2.3]", "1.2.3")] {
        check_error(&format!("[a:b = {number}]"), &format!("`{found}` at octet 7 is no number"));
    }
    check_error("[a:b = 1.]", "`1.` at octet 7 is no number");
    check_error("[a:b = null]", "`null` at octet 7 stands where a value is expected");
}

#[test]
fn what_breaks_the_grammar_is_an_error_with_its_place() {
    check_error("", "it ends where `[` is expected");
    check_error("[a:b = 1", "it ends where `]` is expected");
    check_error("[ipv4-addr:value = '192.0.2.1", "the text at octet 19 has no end");
    check_error("/* [a:b = 1]", "the comment at octet 0 has no end");
    check_error("[a:b 'c']", "`'` at octet 5 stands where an operator is expected");
    check_error("[a:b = 1] x", "`x` at octet 10 stands where the end is expected");
    check_error("[a:b =? 'c']", "`?` at octet 6 stands where a value is expected");
    check_error("[a:b MATCHES /c/]", "`/` at octet 13 stands where a text is expected");
    check_error("[NOT a:b = 1]", "`a` at octet 5 stands where `EXISTS` is expected");
    check_error("[a:b-c = 1]", "the key `b-c` at octet 3 holds a hyphen: write 'b-c' in quotes");
    check_error("[a:b > true]", "`true` at octet 7 is no value with an order");
    check_error("[a:b IN (1, 'c')]", "the set at octet 8 holds values of different kinds");
    check_error("[a:b = b'====']", "`====` at octet 7 is no Base64 value");
    check_error("[a:b = h'abc']", "`abc` at octet 7 is no hexadecimal value");
    check_error("[a:b = 1] within 2 SECONDS", "`within` at octet 10 stands where the end is expected");
    check_error("[a:b = 1] WITHIN 5 HOURS", "`HOURS` at octet 19 stands where `SECONDS` is expected");
    check_error("[a:b = 1] WITHIN -5 SECONDS", "`-5` at octet 17 is no positive number");
    check_error("[a:b = 1] WITHIN 0 SECONDS", "`0` at octet 17 is no number of seconds");
    check_error("[a:b = 1] REPEATS 1.5 TIMES", "`1.5` at octet 18 is no count");
    check_error(
        "[a:b = 1] REPEATS 2 TIMES REPEATS 3 TIMES",
        "the observation has a second REPEATS at octet 26",
    );
    check_error("[a:b = 1] START t'2021-05-01T00:00:00Z'", "it ends where `STOP` is expected");
    check_error("[a:b = 1] START 5", "`5` at octet 16 stands where a time is expected");
    for time in ["2021-13-01T00:00:00Z", "2021-05-01T00:00:00", "2021-05-01t00:00:00Z", "2021-05-01T00:00Z"] {
        check_error(&format!("[a:b = t'{time}']"), &format!("`{time}` at octet 7 is no time"));
    }
}

#[test]
fn nesting_without_end_is_an_error_and_no_overflow() {
    for (open, close) in [("(", ")"), ("[(", ")]")] {
        let deep = |n| format!("{}[a:b = 1]{}", open.repeat(n), close.repeat(n));
        let limit = if open == "(" { Ok(()) } else { Err(()) };
        assert_eq!(deep(DEPTH_MAX).parse::<Pattern>().map(drop).map_err(drop), limit);
        assert!(deep(100_000).parse::<Pattern>().is_err());
    }
    let deep = format!("[{}a:b = 1{}]", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(deep.parse::<Pattern>(), Err(PatternError::Deep));
    assert_eq!(" ".repeat(PATTERN_MAX + 1).parse::<Pattern>(), Err(PatternError::Long));
}

fn text() -> impl Strategy<Value = String> {
    "[a-z'\\\\ %é]{0,6}"
}

fn path() -> impl Strategy<Value = Path> {
    let key = prop_oneof!["[a-z_][a-z0-9_]{0,4}", "[a-zA-Z.' \\\\-]{0,6}"].prop_map(Step::Key);
    let step = prop_oneof![4 => key.clone(), 1 => any::<i64>().prop_map(Step::Index), 1 => Just(Step::Any)];
    ("[a-z][a-z0-9-]{0,5}", key, prop::collection::vec(step, 0..3)).prop_map(|(object, first, more)| Path {
        object,
        steps: std::iter::once(first).chain(more).collect(),
    })
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        text().prop_map(Literal::Text),
        "[-+]?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?".prop_map(Literal::Number),
        any::<bool>().prop_map(Literal::Bool),
        "20[0-9]{2}-0[1-9]-1[0-9]T0[0-9]:[0-5][0-9]:00(\\.[0-9]{1,7})?Z".prop_map(Literal::Time),
        "([0-9a-fA-F]{2}){0,4}".prop_map(Literal::Hex),
        "([a-zA-Z0-9+/]{4}){0,2}".prop_map(Literal::Base64),
    ]
}

fn test() -> impl Strategy<Value = Comparison> {
    let relation = prop_oneof![
        (prop::sample::select(vec![Order::Equal, Order::Unequal]), literal())
            .prop_map(|(order, value)| Relation::Order(order, value)),
        (
            prop::sample::select(vec![Order::Less, Order::AtMost, Order::Greater, Order::AtLeast]),
            literal().prop_filter("it has an order", |value| !matches!(value, Literal::Bool(_)))
        )
            .prop_map(|(order, value)| Relation::Order(order, value)),
        prop::collection::vec(text().prop_map(Literal::Text), 0..3).prop_map(Relation::In),
        (
            prop::sample::select(vec![
                TextOperator::Like,
                TextOperator::Matches,
                TextOperator::Subset,
                TextOperator::Superset
            ]),
            text()
        )
            .prop_map(|(operator, text)| Relation::Text(operator, text)),
        Just(Relation::Exists),
    ];
    (path(), any::<bool>(), relation)
        .prop_map(|(path, negated, relation)| Comparison::Test(Test { path, negated, relation }))
}

fn comparison() -> impl Strategy<Value = Comparison> {
    test().prop_recursive(3, 12, 3, |inner| {
        (prop::sample::select(vec![Junction::Or, Junction::And]), prop::collection::vec(inner, 2..4))
            .prop_map(|(junction, parts)| Comparison::Joined(junction, parts))
    })
}

fn moment() -> impl Strategy<Value = Moment> {
    "20[0-9]{2}-0[1-9]-1[0-9]T0[0-9]:[0-5][0-9]:00(\\.[0-9]{1,7})?Z"
        .prop_map(|text| Moment { at: text.parse().unwrap(), text })
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let qualifier = prop_oneof![
        "[1-9][0-9]{0,3}(\\.[0-9]{1,2})?".prop_map(Qualifier::Within),
        (1u64..).prop_map(Qualifier::Repeats),
        (moment(), moment()).prop_map(|(start, stop)| Qualifier::StartStop(start, stop)),
    ];
    let operators = vec![ObservationOperator::FollowedBy, ObservationOperator::Or, ObservationOperator::And];
    let observation = comparison().prop_map(Observation::Of).prop_recursive(4, 16, 3, move |inner| {
        prop_oneof![
            (prop::sample::select(operators.clone()), prop::collection::vec(inner.clone(), 2..4))
                .prop_map(|(operator, parts)| Observation::Joined(operator, parts)),
            (inner, qualifier.clone())
                .prop_map(|(inner, qualifier)| Observation::Qualified(Box::new(inner), qualifier)),
        ]
    });
    observation.prop_map(Pattern)
}

proptest! {
    #[test]
    fn a_printed_pattern_is_read_as_the_same_tree(pattern in pattern()) {
        let printed = pattern.to_string();
        prop_assert_eq!(printed.parse::<Pattern>(), Ok(pattern), "{}", printed);
    }

    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,60}") {
        let _ = text.parse::<Pattern>();
    }

    #[test]
    fn what_is_made_of_the_parts_of_patterns_is_refused_or_read_as_it_prints(parts in prop::collection::vec(prop::sample::select(vec![
        "[", "]", "(", ")", " AND ", " OR ", "ipv4-addr:value", " = ", "'192.0.2.1'", " IN ", ",", " NOT ", "file:hashes.'MD5'",
        " START ", " STOP ", "t'2021-01-01T00:00:00Z'", " FOLLOWEDBY ", "network-traffic:dst_port", "443", "'", "\\", "[a:b = 1]",
    ]), 0..24)) {
        if let Ok(pattern) = parts.concat().parse::<Pattern>() {
            prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
    }
}

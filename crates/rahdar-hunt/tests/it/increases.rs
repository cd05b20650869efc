//! Increases of contact, and those that nothing but the windows of our own claims would make.

use rahdar_model::finding::Finding;
use rahdar_model::intelligence::Event;
use rahdar_testkit::flow;

use crate::world::{C2, OTHER_C2, World, claim, noon, talk, valid};

const THIRD_C2: &str = "192.0.2.78";
/// The event, and the first day of the late windows.
const DAY: i32 = 300;

/// Contact with one server all year, and with two others from `begun` on, which are claimed from `claimed` on.
fn three_servers(begun: i32, claimed: &str) -> Finding {
    let is_active = |day: &i32| day * day % 7 < 3;
    let others =
        [OTHER_C2, THIRD_C2].into_iter().flat_map(|remote| (begun..360).map(move |day| (remote, day)));
    let days = (0..360).map(|day| (C2, day)).chain(others).filter(|(_, day)| is_active(day));
    let late = [OTHER_C2, THIRD_C2].map(|remote| valid(claimed, "2022-01-01", claim(remote, "RedFoxtrot")));
    let [second, third] = late;
    // Something passes every day, so that days without contact are recorded.
    let others = (0..360).map(|day| flow("203.0.113.9:1 > 198.51.100.1:2").udp().at_time(noon(day)));
    let mut world = World::of(days.map(|(remote, day)| talk(remote, day)).chain(others));
    world = world.claims([claim(C2, "RedFoxtrot"), second, third]);
    world.events = vec![Event::new(noon(DAY).day().start(), "an event")];
    world.finding()
}

#[test]
fn an_increase_is_told() {
    let finding = three_servers(DAY, "2021-01-01");
    assert!(finding.surges.iter().any(|surge| surge.event.is_some()), "{:#?}", finding.event_tests);
}

#[test]
fn windows_that_begin_while_contact_goes_on_make_no_increase() {
    let finding = three_servers(0, "2021-10-28");
    let first = finding.infrastructure.iter().filter_map(|endpoint| endpoint.first_seen).max();
    assert_eq!(first.map(|first| first.day()), Some(noon(DAY).day()), "the first day of the windows");
    assert!(finding.surges.is_empty(), "{:#?}", finding.surges);
    let test = &finding.event_tests[0];
    assert!(!test.assessed && test.p_value.is_some_and(|p| p > 0.1), "{test:#?}");
}

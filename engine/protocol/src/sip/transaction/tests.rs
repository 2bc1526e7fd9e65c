//! Each machine as a timeline against the figures of RFC 3261 §17 and RFC 6026. Times are milliseconds.

use std::time::{Duration, Instant};

use super::*;

/// Runs a machine until it is silent; what it wanted, and when.
macro_rules! timeline {
    ($machine:expr, $zero:expr) => {{
        let mut seen = Vec::new();
        while let Some(at) = $machine.next_timeout() {
            assert!(at >= $zero && seen.len() < 100, "a machine that never rests");
            match $machine.handle_timeout(at) {
                Timeout::Nothing => {}
                step => seen.push(((at - $zero).as_millis(), step)),
            }
        }
        seen
    }};
}

const UDP: bool = false;
const TCP: bool = true;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn repeats(at: &[u128]) -> Vec<(u128, Timeout)> {
    at.iter().map(|at| (*at, Timeout::Repeat)).collect()
}

#[test]
fn rfc3261_17_1_1_2_unanswered_invite_over_udp_doubles_then_times_out() {
    let zero = Instant::now();
    let mut invite = InviteClient::new(zero, UDP);
    let mut expected = repeats(&[500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    expected.push((32_000, Timeout::GaveUp));
    assert_eq!(timeline!(invite, zero), expected);
    assert!(invite.is_terminated());
}

#[test]
fn rfc3261_17_1_1_2_unanswered_invite_over_tcp_is_sent_once() {
    let zero = Instant::now();
    let mut invite = InviteClient::new(zero, TCP);
    assert_eq!(timeline!(invite, zero), [(32_000, Timeout::GaveUp)]);
}

#[test]
fn rfc3261_17_1_1_2_a_provisional_response_ends_timers_a_and_b() {
    let zero = Instant::now();
    let mut invite = InviteClient::new(zero, UDP);
    assert_eq!(invite.handle_response(zero + ms(400), 100), ClientStep::Deliver);
    assert_eq!(invite.next_timeout(), None);
    assert!(invite.is_proceeding());
    assert_eq!(invite.handle_response(zero + ms(90_000), 180), ClientStep::Deliver);
    assert_eq!(invite.handle_timeout(zero + ms(99_000)), Timeout::Nothing);
}

#[test]
fn rfc3261_9_1_an_abandoned_invite_is_given_up_after_64_t1() {
    let zero = Instant::now();
    let mut rings = InviteClient::new(zero, UDP);
    assert_eq!(rings.handle_response(zero, 180), ClientStep::Deliver);
    rings.abandon(zero + ms(10_000));
    assert_eq!(rings.handle_response(zero + ms(11_000), 180), ClientStep::Deliver);
    rings.abandon(zero + ms(12_000));
    assert_eq!(timeline!(rings, zero), [(42_000, Timeout::GaveUp)]);

    let mut silent = InviteClient::new(zero, TCP);
    silent.abandon(zero);
    assert_eq!(silent.handle_response(zero + ms(5_000), 100), ClientStep::Deliver);
    assert_eq!(timeline!(silent, zero), [(37_000, Timeout::GaveUp)]);
}

#[test]
fn rfc3261_17_1_1_2_a_refusal_is_acknowledged_each_time_until_timer_d() {
    let zero = Instant::now();
    let mut invite = InviteClient::new(zero, UDP);
    assert_eq!(invite.handle_response(zero, 486), ClientStep::DeliverAndAcknowledge);
    assert_eq!(invite.handle_response(zero + ms(500), 486), ClientStep::Acknowledge);
    assert_eq!(invite.handle_response(zero + ms(600), 180), ClientStep::Absorb);
    assert_eq!(invite.next_timeout(), Some(zero + ms(32_000)));
    assert_eq!(timeline!(invite, zero), []);
    assert!(invite.is_terminated());

    let mut reliable = InviteClient::new(zero, TCP);
    assert_eq!(reliable.handle_response(zero, 486), ClientStep::DeliverAndAcknowledge);
    assert!(reliable.is_terminated());
}

#[test]
fn rfc6026_7_2_every_2xx_is_passed_on_until_timer_m() {
    for transport in [UDP, TCP] {
        let zero = Instant::now();
        let mut invite = InviteClient::new(zero, transport);
        assert_eq!(invite.handle_response(zero, 200), ClientStep::Deliver);
        assert_eq!(invite.handle_response(zero + ms(31_999), 200), ClientStep::Deliver);
        assert_eq!(invite.handle_response(zero + ms(31_999), 486), ClientStep::Absorb);
        assert!(!invite.handle_transport_error());
        assert_eq!(invite.next_timeout(), Some(zero + ms(32_000)));
        assert_eq!(timeline!(invite, zero), []);
        assert_eq!(invite.handle_response(zero + ms(32_001), 200), ClientStep::Absorb);
    }
}

#[test]
fn rfc3261_17_1_2_2_unanswered_request_over_udp_backs_off_to_t2_then_times_out() {
    let zero = Instant::now();
    let mut request = Client::new(zero, UDP);
    let mut expected = repeats(&[500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    expected.push((32_000, Timeout::GaveUp));
    assert_eq!(timeline!(request, zero), expected);

    let mut reliable = Client::new(zero, TCP);
    assert_eq!(timeline!(reliable, zero), [(32_000, Timeout::GaveUp)]);
}

#[test]
fn rfc3261_17_1_2_2_after_a_provisional_response_repeats_each_t2() {
    let zero = Instant::now();
    let mut request = Client::new(zero, UDP);
    assert_eq!(request.handle_response(zero + ms(100), 100), ClientStep::Deliver);
    let mut expected = repeats(&[500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500]);
    expected.push((32_000, Timeout::GaveUp));
    assert_eq!(timeline!(request, zero), expected);
}

#[test]
fn rfc3261_17_1_2_2_repeated_responses_are_absorbed_until_timer_k() {
    let zero = Instant::now();
    let mut request = Client::new(zero, UDP);
    assert_eq!(request.handle_response(zero, 200), ClientStep::Deliver);
    assert_eq!(request.handle_response(zero + ms(500), 200), ClientStep::Absorb);
    assert_eq!(request.next_timeout(), Some(zero + ms(5_000)));
    assert_eq!(timeline!(request, zero), []);
    assert!(request.is_terminated());

    let mut reliable = Client::new(zero, TCP);
    assert_eq!(reliable.handle_response(zero, 200), ClientStep::Deliver);
    assert!(reliable.is_terminated());
}

#[test]
fn rfc3261_17_2_1_an_unacknowledged_refusal_is_repeated_until_timer_h() {
    let zero = Instant::now();
    let mut invite = InviteServer::new(UDP);
    assert!(invite.handle_send(zero, 486));
    let mut expected = repeats(&[500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    expected.push((32_000, Timeout::GaveUp));
    assert_eq!(timeline!(invite, zero), expected);

    let mut reliable = InviteServer::new(TCP);
    assert!(reliable.handle_send(zero, 486));
    assert_eq!(timeline!(reliable, zero), [(32_000, Timeout::GaveUp)]);
}

#[test]
fn rfc3261_17_2_1_an_ack_ends_the_repeats_and_its_copies_are_absorbed_until_timer_i() {
    let zero = Instant::now();
    let mut invite = InviteServer::new(UDP);
    assert_eq!(invite.handle_invite(), ServerStep::Repeat);
    assert!(invite.handle_send(zero, 486));
    assert_eq!(invite.handle_invite(), ServerStep::Repeat);
    assert_eq!(invite.handle_ack(zero + ms(300)), ServerStep::Absorb);
    assert_eq!(invite.handle_ack(zero + ms(400)), ServerStep::Absorb);
    assert_eq!(invite.handle_invite(), ServerStep::Absorb);
    assert_eq!(invite.next_timeout(), Some(zero + ms(5_300)));
    assert_eq!(timeline!(invite, zero), []);
    assert!(invite.is_terminated());

    let mut reliable = InviteServer::new(TCP);
    assert!(reliable.handle_send(zero, 486));
    assert_eq!(reliable.handle_ack(zero), ServerStep::Absorb);
    assert!(reliable.is_terminated());
}

#[test]
fn rfc6026_7_1_after_a_2xx_copies_of_the_invite_are_absorbed_until_timer_l() {
    for transport in [UDP, TCP] {
        let zero = Instant::now();
        let mut invite = InviteServer::new(transport);
        assert!(invite.handle_send(zero, 180));
        assert!(invite.handle_send(zero, 200));
        assert!(!invite.is_proceeding());
        assert_eq!(invite.handle_invite(), ServerStep::Absorb);
        assert!(invite.handle_send(zero + ms(500), 200), "the session repeats its 2xx");
        assert!(!invite.handle_send(zero + ms(500), 486), "one final response only");
        invite.handle_transport_error();
        assert_eq!(invite.next_timeout(), Some(zero + ms(32_000)));
        assert_eq!(timeline!(invite, zero), []);
        assert!(invite.is_terminated());
    }
}

#[test]
fn rfc3261_17_2_2_a_repeated_request_gets_its_answer_again_until_timer_j() {
    let zero = Instant::now();
    let mut request = Server::new(UDP);
    assert_eq!(request.handle_request(), ServerStep::Absorb);
    assert!(request.handle_send(zero));
    assert!(!request.handle_send(zero));
    assert_eq!(request.handle_request(), ServerStep::Repeat);
    assert_eq!(request.next_timeout(), Some(zero + ms(32_000)));
    assert_eq!(timeline!(request, zero), []);
    assert!(request.is_terminated());

    let mut reliable = Server::new(TCP);
    assert!(reliable.handle_send(zero));
    assert!(reliable.is_terminated());
}

#[test]
fn rfc3261_17_1_4_a_transport_error_is_told_once() {
    let zero = Instant::now();
    let mut invite = InviteClient::new(zero, TCP);
    assert!(invite.handle_transport_error());
    assert!(!invite.handle_transport_error());
    assert!(invite.is_terminated());
    let mut request = Client::new(zero, TCP);
    assert!(request.handle_transport_error());
    assert!(!request.handle_transport_error());
    assert!(request.is_terminated());
}

//! Echo: the caller hears itself until it hangs up. For trying out a telephone: what is heard has been to the exchange
//! and back. It has no settings.

use strowger_script::prelude::*;

#[call_script]
fn on_call(caller: Leg) -> Result {
    caller.answer()?;
    bridge(&caller, &caller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_calls_is_answered_and_hears_itself_for_as_long_as_they_like() {
        let call = Caller::from("101")
            .calls("600")
            .is_answered()
            .hears_itself()
            .hangs_up_after(90.secs())
            .run(on_call);
        assert_eq!((call.outcome(), call.length()), (Outcome::Answered, 90.secs()));
    }

    /// Settings of `strowger/echo`: it has none.
    #[settings]
    struct Echo {}

    #[test]
    fn the_schema_beside_the_script_allows_no_settings() {
        strowger_script::settings::assert_schema::<Echo>("settings.schema.json");
    }
}

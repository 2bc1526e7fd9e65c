//! Whole calls in virtual time: the SIP stack and the call control joined as the server joins them, telephones with stacks of
//! their own, scripts that are a few lines here, and a network that loses, delays, copies and overtakes. All chance comes
//! from a seed, which is printed where something is wrong; `STROWGER_SEED` runs that one alone, `STROWGER_HISTORIES` so many.

mod house;
mod referrals;
mod telephone;
mod town;
mod transfers;

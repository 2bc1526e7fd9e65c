//! What processors do not agree about: which NaN an operation leaves behind. Of x86-64, 0/0 is a NaN with its sign set, of
//! aarch64 one without; of two NaNs the one passes on the first, the other the one that signals. A sandbox leaves one
//! NaN for all of it, or a script's run would depend on the machine.

use core::arch::wasm32::*;
use std::hint::black_box;

/// Zeros, numbers, the smallest and the largest, infinities, and NaNs with a sign and with something to carry.
const F64S: [u64; 14] = [
    0,
    1 << 63,
    0x3FF8_0000_0000_0000,
    0xC00B_3333_3333_3333,
    0x4000_0000_0000_0001,
    1,
    0x7FEF_FFFF_FFFF_FFFF,
    0x7FF0_0000_0000_0000,
    0xFFF0_0000_0000_0000,
    0x7FF8_0000_0000_0000,
    0xFFF8_0000_0000_0000,
    0x7FF8_0000_DEAD_BEEF,
    0x7FF0_0000_0000_0001,
    0xFFF4_0000_2000_0000,
];

/// The same of half the width.
const F32S: [u64; 14] = [
    0,
    1 << 31,
    0x3FC0_0000,
    0xC059_999A,
    0x4000_0001,
    1,
    0x7F7F_FFFF,
    0x7F80_0000,
    0xFF80_0000,
    0x7FC0_0000,
    0xFFC0_0000,
    0x7FC0_BEEF,
    0x7F80_0001,
    0xFFA0_0100,
];

/// What came of one operation on all values.
pub struct Outcome {
    pub operation: &'static str,
    /// Of the bits of all results (FNV-1a).
    pub digest: u64,
    /// Results that are a NaN.
    pub nans: u32,
    /// NaNs but the one that has no sign and carries nothing.
    pub others: u32,
}

/// Every operation of arithmetic that WebAssembly has, on one lane and on several.
#[target_feature(enable = "simd128")]
pub fn outcomes() -> Vec<Outcome> {
    let one = |name, run: fn(f64, f64) -> f64| of_f64(name, |a, b| [run(a, b).to_bits(); 2]);
    let half = |name, run: fn(f32, f32) -> f32| of_f32(name, |a, b| [run(a, b).to_bits(); 4]);
    let two =
        |name, run: fn(v128, v128) -> v128| of_f64(name, move |a, b| f64s(run(f64x2(a, b), f64x2(b, a))));
    let four = |name, run: fn(v128, v128) -> v128| {
        of_f32(name, move |a, b| f32s(run(f32x4(a, b, a, b), f32x4(b, a, a, b))))
    };
    vec![
        one("f64.add", |a, b| a + b),
        one("f64.sub", |a, b| a - b),
        one("f64.mul", |a, b| a * b),
        one("f64.div", |a, b| a / b),
        one("f64.sqrt", |a, _| a.sqrt()),
        one("f64.ceil", |a, _| a.ceil()),
        one("f64.floor", |a, _| a.floor()),
        one("f64.trunc", |a, _| a.trunc()),
        one("f64.nearest", |a, _| a.round_ties_even()),
        one("f64.promote", |a, _| f64::from(black_box(a as f32))),
        half("f32.add", |a, b| a + b),
        half("f32.sub", |a, b| a - b),
        half("f32.mul", |a, b| a * b),
        half("f32.div", |a, b| a / b),
        half("f32.sqrt", |a, _| a.sqrt()),
        half("f32.ceil", |a, _| a.ceil()),
        half("f32.floor", |a, _| a.floor()),
        half("f32.trunc", |a, _| a.trunc()),
        half("f32.nearest", |a, _| a.round_ties_even()),
        half("f32.demote", |a, _| black_box(f64::from(a)) as f32),
        two("f64x2.add", |a, b| f64x2_add(a, b)),
        two("f64x2.sub", |a, b| f64x2_sub(a, b)),
        two("f64x2.mul", |a, b| f64x2_mul(a, b)),
        two("f64x2.div", |a, b| f64x2_div(a, b)),
        two("f64x2.min", |a, b| f64x2_min(a, b)),
        two("f64x2.max", |a, b| f64x2_max(a, b)),
        two("f64x2.sqrt", |a, _| f64x2_sqrt(a)),
        two("f64x2.nearest", |a, _| f64x2_nearest(a)),
        two("f64x2.promote", |a, _| f64x2_promote_low_f32x4(f32x4_demote_f64x2_zero(a))),
        four("f32x4.add", |a, b| f32x4_add(a, b)),
        four("f32x4.sub", |a, b| f32x4_sub(a, b)),
        four("f32x4.mul", |a, b| f32x4_mul(a, b)),
        four("f32x4.div", |a, b| f32x4_div(a, b)),
        four("f32x4.min", |a, b| f32x4_min(a, b)),
        four("f32x4.max", |a, b| f32x4_max(a, b)),
        four("f32x4.sqrt", |a, _| f32x4_sqrt(a)),
        four("f32x4.nearest", |a, _| f32x4_nearest(a)),
    ]
}

fn of_f64(operation: &'static str, run: impl Fn(f64, f64) -> [u64; 2]) -> Outcome {
    let is_other = |bits| f64::from_bits(bits).is_nan().then_some(bits != 0x7FF8_0000_0000_0000);
    outcome(operation, F64S, is_other, |a, b| run(f64::from_bits(a), f64::from_bits(b)))
}

fn of_f32(operation: &'static str, run: impl Fn(f32, f32) -> [u32; 4]) -> Outcome {
    let is_other = |bits: u64| f32::from_bits(bits as u32).is_nan().then_some(bits != 0x7FC0_0000);
    outcome(operation, F32S, is_other, |a, b| {
        run(f32::from_bits(a as u32), f32::from_bits(b as u32)).map(u64::from)
    })
}

/// `is_other`: of a NaN, whether it is another one than it should be.
fn outcome<const N: usize>(
    operation: &'static str,
    values: [u64; 14],
    is_other: impl Fn(u64) -> Option<bool>,
    run: impl Fn(u64, u64) -> [u64; N],
) -> Outcome {
    let mut outcome = Outcome { operation, digest: 0xcbf2_9ce4_8422_2325, nans: 0, others: 0 };
    for a in values {
        for b in values {
            for bits in run(black_box(a), black_box(b)) {
                outcome.nans += u32::from(is_other(bits).is_some());
                outcome.others += u32::from(is_other(bits) == Some(true));
                for byte in bits.to_le_bytes() {
                    outcome.digest = (outcome.digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
                }
            }
        }
    }
    outcome
}

#[target_feature(enable = "simd128")]
fn f64s(lanes: v128) -> [u64; 2] {
    [u64x2_extract_lane::<0>(lanes), u64x2_extract_lane::<1>(lanes)]
}

#[target_feature(enable = "simd128")]
fn f32s(lanes: v128) -> [u32; 4] {
    [
        u32x4_extract_lane::<0>(lanes),
        u32x4_extract_lane::<1>(lanes),
        u32x4_extract_lane::<2>(lanes),
        u32x4_extract_lane::<3>(lanes),
    ]
}

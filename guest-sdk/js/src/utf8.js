// UTF-8 (RFC 3629): QuickJS has no TextEncoder.

export function encode(text) {
  const bytes = [];
  for (const character of text) {
    const code = character.codePointAt(0);
    const point = code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), tail(point, 0));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), tail(point, 6), tail(point, 0));
    else bytes.push(0xf0 | (point >> 18), tail(point, 12), tail(point, 6), tail(point, 0));
  }
  return Uint8Array.from(bytes);
}

const tail = (point, shift) => 0x80 | ((point >> shift) & 0x3f);

// Each byte that begins nothing valid becomes U+FFFD.
export function decode(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at];
    const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    let point = length === 1 ? first : first & (0xff >> (length + 1));
    let read = 1;
    while (read < length && (bytes[at + read] & 0xc0) === 0x80) point = (point << 6) | (bytes[at + read++] & 0x3f);
    const whole = length > 0 && read === length && point >= LEAST[length] && point <= 0x10ffff;
    text += whole && (point < 0xd800 || point > 0xdfff) ? String.fromCodePoint(point) : "\ufffd";
    at += whole ? length : 1;
  }
  return text;
}

const LEAST = [0, 0, 0x80, 0x800, 0x10000];

// Finds numbers in texts and writes others in their places. Nothing here touches the page.
import { attempt, config } from "./settings.js";

export const DIGIT = /\p{Nd}/u;
// Stands where one text node ends and the next begins.
export const MARK = "\uffff";
// What people put between digits: blanks of any width, marks of direction, brackets, dashes, dots, slashes.
const GAP = `[\\s\\p{Cf}\\p{Pd}\\p{Ps}\\p{Pe}.\u00b7\u2022\u2219\u2027\u2024/|\u2212\u2043'\u2019${MARK}]{0,40}`;
const PLUS = /[+\uff0b]/;
// A country's code: with it "+49 20 7946 0000" ends like our number but is another country's.
const FOREIGN = /(?:[+\uff0b]\W?|(?:^|[^\d\s.()-])[\s(]*0(?:0|11)[\s.-]?)[1-9]\d{0,2}[^\d,;]{0,3}$/;

const plain = (text) => text.replace(/\D/g, "");

const longer = (one, other) => other.length - one.length;

const shape = (text) => text.replace(/\d/g, "0");

// From now on `slot` shows what was `given` for it.
export const aim = (slot, given) => {
  const code = given.extension;
  [slot.suffix, slot.dialed] = config.ext.map((mask) => (code ? mask.replace("X", code) : ""));
  slot.to = given.number;
  slot.text = given.display.slice(0, given.display.length - slot.suffix.length);
  // Without its country code, where the country is the main number's.
  const rest = (slot.rest = slot.to.startsWith("+" + slot.cc) ? slot.to.slice(slot.cc.length + 1) : "");
  // The page's own way to write the main number does for this one too where both are grouped alike.
  slot.alike = !config.mask && rest && shape(slot.text) == shape(slot.display);
  slot.abroad = slot.text;
  if (rest && !config.mask) {
    let national = slot.text;
    while (plain(national).length > rest.length || /^\D/.test(national)) national = national.slice(1);
    slot.abroad = `+${slot.cc} ${national.replace(/[()]/g, "")}`;
  }
  // What was shown before counts as the main number too, so that a new lease replaces it.
  const known = (slot.known = slot.known || {});
  [slot.to, slot.text].map(plain).forEach((digits) => {
    known[digits] = rest ? digits.slice(0, -rest.length) : slot.cc;
  });
  slot.prefixes.forEach((prefix) => {
    known[prefix + slot.number.slice(slot.cc.length + 1)] = prefix;
    if (rest) known[prefix + rest] = prefix;
  });
  slot.tails = slot.tails || new Set([""]);
  slot.tails.add(slot.suffix).add(slot.dialed);
  const forms = Object.keys(known).sort(longer);
  const tails = [...slot.tails].sort(longer).map((tail) => tail.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  slot.pattern = RegExp(`(?:${forms.map((form) => [...form].join(GAP)).join("|")})(${tails.join("|")})(?!\\d)`, "gu");
};

// Digits of every script as ASCII, each in its place.
const fold = (text) =>
  text.replace(/(?!\d)\p{Nd}/gu, (digit) => {
    if (digit[1]) return digit;
    const code = digit.charCodeAt();
    // A script's ten digits begin at a multiple of sixteen, or six after it.
    return (code & 15) - (DIGIT.test(String.fromCharCode((code & ~15) | 5)) ? 0 : 6);
  });

// What stands right before our number at `at` ("(", "+"), and what its digits begin with before the national
// number; nothing where the digits belong to another number.
const lead = (slot, folded, at, found) => {
  const prefix = slot.known[plain(found)];
  const near = folded.slice(Math.max(0, at - 16), at);
  const [sign] = /(?:[(\uff08]?[+\uff0b])?[(\uff08]?$/.exec(near);
  const before = near.slice(0, near.length - sign.length);
  if (/\d$/.test(before) || (PLUS.test(sign) ? prefix.indexOf(slot.cc) : FOREIGN.test(before))) return;
  return { sign, prefix };
};

// `text`, which may be several text nodes with MARK between them, with the slots' numbers in it.
export const rewritten = (text) => {
  if (!DIGIT.test(text)) return text;
  const folded = fold(text);
  const chars = text.split("");
  const replace = (slot) => (all, tail, at) => {
    const found = all.slice(0, all.length - tail.length);
    const start = lead(slot, folded, at, found);
    if (!start) return;
    const { sign, prefix } = start;
    const whole = PLUS.test(sign) || prefix.length > slot.cc.length + 1 ? slot.abroad : slot.text;
    if (!slot.alike && folded.startsWith(whole + slot.suffix, at - whole.search(/\d/))) return;
    const end = at + all.length;
    const digits = slot.alike ? prefix + slot.rest : plain(slot.text);
    let last = at;
    let i = at;
    let next = 0;
    // Digit for digit where that will do: it keeps the page's form, script, and elements around parts of it.
    if (slot.alike || (found.includes(MARK) && digits.length == plain(found).length && !sign[1])) {
      for (; i < end; i++) {
        if (i >= at + found.length) chars[i] = "";
        else if (/\d/.test(folded[i])) chars[(last = i)] = String.fromCharCode(text.charCodeAt(i) - folded[i] + +digits[next++]);
      }
    } else {
      for (i = last -= sign.length; i < end; i++) if (chars[i] != MARK) chars[i] = "";
      // "(call 020 …)" keeps its bracket, "(020) …" does not.
      chars[last] = (/^[(\uff08]/.test(sign) && !/[)\uff09]/.test(found) ? sign[0] : "") + whole;
    }
    chars[last] += slot.suffix;
  };
  config.slots.forEach((slot) => slot.pattern && folded.replace(slot.pattern, replace(slot)));
  return chars.join("");
};

const search = (slot, folded) => {
  slot.pattern.lastIndex = 0;
  return slot.pattern.exec(folded);
};

export const has = (slot, text) => search(slot, fold(text));

// A link's target with the slots' numbers, where it is one that calls.
export const link = (value) => {
  const scheme = RegExp(`^(?:${config.links})`, "i").exec(value);
  if (scheme) config.slots.forEach((slot) => {
    if (!slot.pattern) return;
    let number = fold(value.slice(scheme[0].length));
    let hit = search(slot, number);
    if (!hit) hit = search(slot, (number = attempt(() => fold(decodeURIComponent(number)), "")));
    if (!hit || /\d/.test(number.slice(0, hit.index))) return;
    const found = hit[0].slice(0, hit[0].length - hit[1].length);
    // An extension of the main number's own is kept, unless ours takes its place.
    if (lead(slot, number, hit.index, found))
      value = scheme[0] + (/^h/i.test(scheme[0]) ? slot.to.slice(1) : slot.to) +
        (slot.dialed || number.slice(hit.index + hit[0].length));
  });
  return value;
};

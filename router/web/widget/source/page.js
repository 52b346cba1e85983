// Puts numbers into the page and keeps them there. What is on the page is changed in place: no node is added,
// moved or removed, since the page's framework may know them.
import { DIGIT, MARK, aim, has, link, rewritten } from "./numbers.js";
import { attempt, config, d, guarded, w } from "./settings.js";

const SKIPPED = "head,script,style,noscript,textarea,[data-leaseline=off]" + (config.skip && "," + config.skip);
const LETTER = /\p{L}/u;
const ATTRIBUTES = ["href", "aria-label", "title"];
const CSS = { opacityProperty: true, visibilityProperty: true };
// So many text nodes around one that changed may be part of its number.
const NEAR = 24;
// A page that puts its number back each time would keep us both busy for ever: so often a second, no more.
const MOST_ROUNDS = 100;
// Elements that carry a swapped number, looked at until one of them has been seen on the screen.
const places = new Set();
// What the page itself had written where we wrote, for as long as nobody has written there since: a framework may
// change one part of a number and leave alone the others, which it believes to be as it wrote them.
const theirs = new WeakMap();
let rounds = 0;
let wrote, calm, observer, eyes;

// Shows `numbers`; `changed` is called whenever the page has changed, `visible` once one of them can be seen.
export const show = (numbers, changed, visible) => {
  config.slots.forEach((slot) =>
    numbers.forEach((number) => {
      // The main number itself is left as the page wrote it.
      if (number.slot == slot.slot && (slot.pattern || number.number != slot.number)) aim(slot, number);
    })
  );
  observer = observer || new w.MutationObserver(guarded((records) => follow(records, changed)));
  eyes = eyes || new w.IntersectionObserver(guarded((entries) => {
    const seen = ({ isIntersecting, target }) => isIntersecting && (!target.checkVisibility || target.checkVisibility(CSS));
    if (entries.some(seen)) visible();
  }));
  refresh();
};

// Looks through the whole page again, also for what no observer saw.
export const refresh = () => {
  sweep(d.documentElement);
  watch(d);
};

// Looks out again for numbers on the screen.
export const look = () => {
  eyes.disconnect();
  places.forEach((node) => (node.isConnected ? eyes.observe(node) : places.delete(node)));
};

// The main numbers again, and nothing more is watched.
export const revert = () => {
  config.slots.forEach((slot) => slot.pattern && aim(slot, slot));
  sweep(d.documentElement);
  observer.disconnect();
  eyes.disconnect();
  places.clear();
};

const watch = (root) =>
  observer.observe(root, { subtree: true, childList: true, characterData: true, attributeFilter: ATTRIBUTES });

const follow = (records, changed) => {
  const dirty = new Set();
  wrote = false;
  records.forEach(({ type, target, addedNodes }) => {
    if (type[0] == "a") element(target);
    else if (addedNodes.length) addedNodes.forEach((node) => dirty.add(node));
    else dirty.add(target);
    const near = target.closest ? target : holder(target);
    config.slots.forEach((slot) => slot.own && dirty.add(near.closest(slot.own)));
  });
  dirty.forEach((node) => node && node.isConnected && sweep(node));
  if (wrote && rounds++ > MOST_ROUNDS) observer.disconnect();
  calm = calm || w.setTimeout(guarded(() => {
    if (rounds > MOST_ROUNDS) refresh();
    rounds = calm = 0;
  }), 1000);
  changed();
};

const sweep = (root) => {
  const each = (selector, work) => {
    if (root.matches && root.matches(selector)) work(root);
    if (root.querySelectorAll) root.querySelectorAll(selector).forEach(work);
  };
  each("[href],[aria-label],[title]", element);
  each("*", host);
  texts(root);
  config.slots.forEach((slot) => {
    slot.own = slot.pattern && `[data-leaseline='${slot.slot}']` + (slot.selector && "," + slot.selector);
    if (slot.own) each(slot.own, (node) => place(node, slot));
  });
};

// Text nodes in and right around `root`: a number may begin in one and go on in the next.
const texts = (root) => {
  const walker = d.createTreeWalker(root.getRootNode(), 4);
  let run = [];
  let near = NEAR;
  walker.currentNode = root;
  while (near-- && walker.previousNode() && !LETTER.test(read(walker.currentNode)));
  let node = walker.currentNode;
  if (node.nodeType != 3) node = walker.nextNode();
  for (near = NEAR; node && near > 0; node = walker.nextNode()) {
    const text = read(node);
    const letters = LETTER.test(text);
    if (DIGIT.test(text) ? skipped(holder(node)) : letters) {
      rewrite(run);
      run = [];
    } else run.push(node);
    if (root != d.documentElement && (root.compareDocumentPosition(node) & 20) == 4) near = letters ? 0 : near - 1;
  }
  rewrite(run);
};

const rewrite = (run) => {
  const before = run.map((node) => read(node));
  const parts = rewritten(before.join(MARK)).split(MARK);
  if (parts.length == run.length)
    run.forEach((node, i) => parts[i] != node.data && write(node, "", parts[i], before[i]));
};

const element = (node) => {
  ATTRIBUTES.forEach((name) => {
    const before = read(node, name);
    if (!before || !DIGIT.test(before)) return;
    const now = name == "href" ? link(before) : rewritten(before);
    if (now != node.getAttribute(name) && !skipped(node)) write(node, name, now, before);
  });
};

const host = (node) => {
  if (!node.shadowRoot) return;
  watch(node.shadowRoot);
  sweep(node.shadowRoot);
};

// A marked place shows the number whatever it contained.
const place = (node, slot) => {
  const target = "tel:" + slot.to + slot.dialed;
  const href = node.getAttribute("href");
  if (/^tel:/i.test(href) && href != target) write(node, "href", target);
  if (has(slot, node.textContent)) return;
  const walker = d.createTreeWalker(node, 4);
  let text = slot.text + slot.suffix;
  while (walker.nextNode()) if (!text || walker.currentNode.data.trim()) {
    write(walker.currentNode, "", text);
    text = "";
  }
  if (text) node.textContent = text;
};

const holder = (node) => node.parentElement || node.parentNode.host || d.documentElement;

const skipped = (node) => node.isContentEditable || node.closest(SKIPPED);

const read = (node, name = "") => {
  const value = name ? node.getAttribute(name) : node.data;
  const ours = (theirs.get(node) || {})[name];
  return ours && ours[0] == value ? ours[1] : value;
};

const write = (node, name, value, before = value) => {
  wrote = true;
  theirs.set(node, Object.assign({}, theirs.get(node), { [name]: [value, before] }));
  if (name) node.setAttribute(name, value);
  else node.data = value;
  const carrier = name ? node : holder(node);
  if (name && name != "href" || places.size > 100 || places.has(carrier)) return;
  places.add(carrier);
  eyes.observe(carrier);
};

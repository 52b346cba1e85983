// Leaseline's widget: shows each visitor the number leased for their visit. See docs/widget.md.
// Pages get leaseline.min.js, which `make widget` makes of the files in this folder. ES2018, no dependencies,
// no eval. Whatever goes wrong, the page keeps its main number.
import { look, refresh, revert, show } from "./page.js";
import { attempt, config, d, guarded, w, warn } from "./settings.js";
import { NAME, cookie, forget, save, stored, visitor } from "./stored.js";

const here = d.currentScript;
const loc = w.location;
const nav = w.navigator;
const entry = loc.href;
const LONGEST_RETRY = 300;

guarded(() => {
  if ((w.leaseline && w.leaseline.refresh) || !w.fetch || !w.MutationObserver || !w.IntersectionObserver) return;
  // An element named "currentScript" would stand in for the tag, and could name another server.
  if (!config.url && here.tagName != "SCRIPT") return;
  const api = (w.leaseline = { lease: null, numbers: [] });
  const base = (config.url || here.src.replace(/\/widget\/.*/, "")) + "/v1/leases";
  let agreed = w.leaselineConsent;
  let page = where();
  let url = entry;
  let until = 0;
  let beat = 30;
  let retry = 2;
  let started, ready, busy, timer, lastSeen, told, saw, shown;

  // A change of the fragment is another page only where a router of the page's writes it.
  function where(url = loc.href) {
    return url.replace(/#(?![!/]).*/, "");
  }

  const facts = () => ({
    ga: {
      client_id: cookie(/; _ga=GA\d\.[\d-]+\.(\d+\.\d+)/),
      session_id: cookie(/; _ga_\w+=GS\d\.\d+\.s?(\d+)/)
    },
    metrica_client_id: cookie(/; _ym_uid=(\d+)/)
  });

  const params = () => {
    const found = {};
    Object.keys(w.leaselineParams).slice(0, 50).forEach((name) => {
      const value = w.leaselineParams[name];
      if (/^[snb]/.test(typeof value)) found[name] = value;
    });
    return found;
  };

  // A document's own elements may stand in for what it says of itself.
  const text = (work) => attempt(() => ("" + work()).slice(0, 8000));

  const title = () => text(() => d.title);

  const view = () => ({ page: { url: text(() => loc.href), title: title() } });

  // A string body without own headers is a "simple" request: no preflight, so one request before the swap.
  const post = async (path, body, more) => {
    const sent = Date.now();
    const answer = await w.fetch(
      base + path,
      Object.assign({ method: "POST", body: JSON.stringify(body), credentials: "omit" }, more)
    );
    const given = answer.ok ? await answer.json() : {};
    given.status = answer.status;
    // How long the number is surely held, by this machine's clock: the server's Date tells how far that is off.
    given.until =
      sent - 1000 + Date.parse(given.frozen_until) - (Date.parse(answer.headers.get("Date")) || Date.now());
    return given;
  };

  const ask = async () => {
    const asked = url || loc.href;
    const ids = facts();
    told = JSON.stringify(ids);
    const given = await post(
      "",
      Object.assign(ids, {
        site: config.site,
        visitor_id: visitor(),
        url: text(() => asked),
        referrer: text(() => (asked == entry ? d.referrer : entry)),
        title: title(),
        screen: text(() => w.screen.width + "x" + w.screen.height),
        language: text(() => nav.language),
        consent: agreed === true || undefined,
        params: attempt(params)
      }),
      attempt(() => ({ signal: AbortSignal.timeout(30000) }))
    );
    const id = given.lease_id;
    if (given.status != 200) throw given.status;
    // The page that the visitor came to is told until it was heard.
    url = "";
    if (!started) return id && left(id);
    busy = false;
    if (!id) return over();
    if (!take(given)) throw "garbage";
    retry = 2;
    lastSeen = Date.now();
    keep(given.visitor_id);
    wait();
    // The visitor may have gone on while nothing was allowed to be told.
    page = where(asked);
    moved();
    report();
  };

  const lease = () => {
    if (busy) return;
    busy = true;
    // Two windows that open at once wait for one another, so that they share an id.
    (nav.locks && !visitor() ? nav.locks.request(NAME, ask) : ask())
      .catch((error) => {
        warn(error);
        retry = Math.min(retry * 2, LONGEST_RETRY);
        wait(retry * (0.5 + Math.random() / 2));
      })
      .then(() => {
        busy = false;
      });
  };

  const seen = (body) => {
    const id = api.lease;
    if (!id) return;
    const ids = facts();
    lastSeen = Date.now();
    if (JSON.stringify(ids) != told) Object.assign(body, ids);
    told = JSON.stringify(facts());
    wait();
    post(`/${id}/seen`, body, { keepalive: true })
      .then((given) => {
        if (id != api.lease) return;
        if (/404|410/.test(given.status)) {
          over();
          lease();
        } else if (given.until) {
          until = given.until;
          keep(visitor());
        }
      })
      .catch(warn);
  };

  const left = (id) => nav.sendBeacon(`${base}/${id}/left`, "");

  const keep = (id) => id && save(id, { lease_id: api.lease, numbers: api.numbers, until, seen_every_seconds: beat });

  // Shows what was given, if it makes sense.
  const take = ({ lease_id, numbers, until: held, seen_every_seconds }) => {
    const sound = (one) =>
      /^\+\d{5,15}$/.test(one.number) && /\d/.test(one.display) && /^\d*$/.test(one.extension || "");
    if (!/^\w{20,}$/.test(lease_id) || !attempt(() => numbers.every(sound))) return;
    const same = lease_id == api.lease && JSON.stringify(numbers) == JSON.stringify(api.numbers);
    until = held;
    beat = seen_every_seconds;
    if (!same) {
      api.lease = lease_id;
      api.numbers = numbers;
      saw = shown = false;
      show(numbers, moved, () => {
        saw = true;
        report();
      });
      look();
    }
    return true;
  };

  // What is stored counts while it is certainly still ours by this machine's clock, unless that was set back.
  const adopt = () => {
    const found = stored();
    if (found.at <= Date.now() && found.until > Math.max(until, Date.now())) take(found);
  };

  const over = () => {
    if (!api.lease) return;
    api.lease = null;
    api.numbers = [];
    until = 0;
    if (started) keep(visitor());
    revert();
  };

  // Shown means displayed, and by a lease that the server has confirmed.
  const report = () => {
    if (!saw || shown || d.hidden || busy || !api.lease) return;
    shown = true;
    seen({ shown: true });
  };

  const wait = (seconds) => {
    const pause = (seconds || (d.hidden ? 86400 : beat)) * 1000;
    w.clearTimeout(timer);
    timer = w.setTimeout(guarded(tick), until ? Math.max(0, Math.min(pause, until - Date.now())) : pause);
  };

  const tick = () => {
    if (!started) return start();
    adopt();
    // Its time is over and nobody confirmed it: the number may be somebody else's by now.
    if (Date.now() >= until) over();
    if (d.hidden) return wait();
    if (!api.lease) return lease();
    refresh();
    if (!shown) look();
    if (Date.now() - lastSeen >= beat * 900) seen({});
    else wait();
  };

  const moved = () => {
    if (where() == page) return;
    page = where();
    // Pages set their title a little later.
    w.setTimeout(() => seen(view()), 200);
  };

  const start = () => {
    if (started || d.hidden || agreed === false || (config.consent && agreed !== true)) return;
    if (config.optout && (nav.globalPrivacyControl || nav.doNotTrack == 1 || w.doNotTrack == 1)) return;
    started = true;
    lastSeen = Date.now();
    adopt();
    lease();
    if (ready) return;
    ready = true;
    const on = (target, event, work, capture) => target.addEventListener(event, guarded(work), capture);
    if (w.navigation) on(w.navigation, "currententrychange", moved);
    on(w, "popstate", moved);
    on(w, "hashchange", moved);
    on(w, "online", tick);
    // Another tab has another number now, or consent was withdrawn there.
    on(w, "storage", (event) => (event.key == NAME && !event.newValue ? stop() : adopt()));
    on(d, "click", (event) => {
      const link = event.composedPath()[0].closest("a[href]");
      if (link && /^(tel|callto):/i.test(link.href) && api.numbers.some((one) => link.href.includes(one.number)))
        seen({ tel_click: true });
    }, true);
    on(w, "pagehide", () => api.lease && left(api.lease));
    // Out of the back/forward cache the page is as it was left, and its lease may be over since.
    on(w, "pageshow", (event) => {
      if (!event.persisted) return;
      lastSeen = Date.now();
      tick();
      seen(view());
    });
  };

  const stop = () => {
    agreed = false;
    if (!started) return;
    started = false;
    w.clearTimeout(timer);
    if (api.lease) left(api.lease);
    over();
    forget();
  };

  api.refresh = guarded(() => api.lease && refresh());
  api.consent = guarded((given) => {
    if (given === false || (given && given.detail === false)) return stop();
    agreed = true;
    start();
  });
  w.addEventListener("leaseline:consent", api.consent);
  // A tab opened in the background or prerendered takes a number only once somebody looks at it.
  d.addEventListener("visibilitychange", guarded(tick));
  start();
})();

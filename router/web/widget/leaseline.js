// Leaseline's widget: shows each visitor the number leased for their visit. See docs/widget.md.
// Pages get leaseline.min.js, which `make widget` makes of this file and script.py fills with the site's settings
// (LEASELINE_CONFIG). ES2018, no dependencies, no eval.
// Whatever goes wrong, the page keeps its main number: each door into this code is guarded.
(function (w, d, config) {
  "use strict";
  var here = d.currentScript;
  var loc = w.location;
  var nav = w.navigator;

  function warn(error) {
    try {
      if (w.leaselineDebug) w.console.warn("leaseline", error);
    } catch (worse) {}
  }

  function guarded(work) {
    return function () {
      try {
        return work.apply(this, arguments);
      } catch (error) {
        warn(error);
      }
    };
  }

  guarded(function () {
    if ((w.leaseline && w.leaseline.refresh) || !w.fetch || !w.MutationObserver || !w.IntersectionObserver) return;
    // An element named "currentScript" would stand in for the tag, and could name another server.
    var base = (config.url || (here.tagName == "SCRIPT" && here.src.replace(/\/widget\/.*/, ""))) + "/v1/leases";
    var api = (w.leaseline = { lease: null, numbers: [] });
    var NAME = "_leaseline_" + config.site;
    var SKIPPED = "head,script,style,noscript,textarea,[data-leaseline=off]" + (config.skip && "," + config.skip);
    var DIGIT = /\p{Nd}/u;
    var LETTER = /\p{L}/u;
    // What people put between digits: blanks of any width, marks of direction, brackets, dashes, dots, slashes.
    // MARK stands where one text node ends and the next begins.
    var MARK = "\uffff";
    var GAP = "[\\s\\p{Cf}\\p{Pd}\\p{Ps}\\p{Pe}.\u00b7\u2022\u2219\u2027\u2024/|\u2212\u2043'\u2019" + MARK + "]{0,40}";
    var FOREIGN = /(?:[+\uff0b]\W?|(?:^|[^\d\s.()-])[\s(]*0(?:0|11)[\s.-]?)[1-9]\d{0,2}[^\d,;]{0,3}$/;
    var NEAR = 24;
    var slots = config.slots;
    var entry = loc.href;
    var page = where();
    var until = 0;
    var beat = 30;
    var retry = 2;
    // Elements that carry a swapped number, looked at until one of them has been seen on the screen.
    var places = new Set();
    var fights = new WeakMap();
    var rounds = 0;
    var agreed = w.leaselineConsent;
    var eyes, observer, started, ready, busy, timer, calm, lastSeen, told, first, saw, shown;

    // --- What is stored ---

    function cookie(pattern) {
      return (pattern.exec("; " + d.cookie) || [])[1];
    }

    var load = attempt(function () {
      var stored = JSON.parse(w.localStorage.getItem(NAME));
      return stored.expires > Date.now() ? stored : {};
    }, {});

    var save = attempt(function (visitor) {
      var life = config.days * 864e5;
      var rest = "=" + visitor + ";path=/;SameSite=Lax;max-age=" + life / 1e3 + (loc.protocol == "https:" ? ";Secure" : "");
      d.cookie = NAME + rest + (config.domain && ";domain=" + config.domain);
      // A domain that is everybody's is refused.
      if (!known()) d.cookie = NAME + rest;
      w.localStorage.setItem(NAME, JSON.stringify({
        visitor: visitor, expires: Date.now() + life, lease: api.lease, numbers: api.numbers, beat: beat, at: Date.now(), until: until
      }));
    });

    var forget = attempt(function () {
      w.localStorage.removeItem(NAME);
      ["", ";domain=" + config.domain].forEach(function (domain) {
        d.cookie = NAME + "=;path=/;max-age=0" + domain;
      });
    });

    function known() {
      return cookie(new RegExp("; " + NAME + "=(\\w+)")) || undefined;
    }

    function attempt(work, otherwise) {
      return function (value) {
        try {
          return work(value);
        } catch (failed) {
          return otherwise;
        }
      };
    }

    // A lease out of storage counts while it is certainly still ours by this machine's clock, unless that was set back.
    function adopt() {
      var stored = load();
      if (!valid(stored) || stored.at > Date.now() || !(stored.until > Math.max(until, Date.now()))) return;
      take(stored);
    }

    function valid(given) {
      return /^\w+$/.test(given.lease || "") && given.numbers.every(function (one) {
        return /^\+\d{5,15}$/.test(one.number) && DIGIT.test(one.display) && /^\d*$/.test(one.extension || "");
      });
    }

    // --- What is asked and told ---

    function facts() {
      return {
        ga: {
          client_id: cookie(/; _ga=GA\d\.[\d-]+\.(\d+\.\d+)/),
          session_id: cookie(/; _ga_\w+=GS\d\.\d+\.s?(\d+)/)
        },
        metrica_client_id: cookie(/; _ym_uid=(\d+)/)
      };
    }

    var params = attempt(function () {
      var found = {};
      Object.keys(w.leaselineParams).slice(0, 50).forEach(function (name) {
        var value = w.leaselineParams[name];
        if (/^(s|n|b)/.test(typeof value)) found[name] = value;
      });
      return found;
    });

    // A string body without own headers is a "simple" request: no preflight, so one request before the swap.
    function post(path, body, more) {
      return w.fetch(base + path, Object.assign({ method: "POST", body: JSON.stringify(body), credentials: "omit" }, more));
    }

    function ask() {
      var sent = Date.now();
      var url = first ? loc.href : entry;
      var asked = page;
      first = true;
      told = facts();
      var body = Object.assign({
        site: config.site,
        visitor_id: known() || load().visitor,
        url: url.slice(0, 8e3),
        referrer: ("" + (url == entry ? d.referrer : entry)).slice(0, 8e3),
        title: "" + d.title,
        screen: w.screen.width + "x" + w.screen.height,
        language: nav.language,
        consent: agreed === true || undefined,
        params: params()
      }, told);
      told = JSON.stringify(told);
      return post("", body, w.AbortSignal && AbortSignal.timeout && { signal: AbortSignal.timeout(3e4) })
        .then(function (answer) {
          if (answer.ok) return answer.json().then(function (given) {
            answered(given, sent, answer);
            if (api.lease && asked != where()) seen(view());
          });
          if (/40[034]/.test(answer.status)) retry = 300;
          throw answer.status;
        });
    }

    function answered(given, sent, answer) {
      var lease = given.lease_id;
      if (!started) {
        if (lease) left(lease);
        return;
      }
      if (lease) {
        given.lease = lease;
        if (!valid(given)) throw "garbage";
        given.until = held(given, sent, answer);
        given.beat = given.seen_every_seconds;
        retry = 2;
        busy = false;
        lastSeen = Date.now();
        take(given);
        save(given.visitor_id);
        wait();
      } else if (api.lease) {
        forget();
        revert();
      }
    }

    // How long the number is surely held, by this machine's clock: the server's Date tells how far that is off.
    function held(given, sent, answer) {
      return sent - 1e3 + Date.parse(given.frozen_until) - (Date.parse(answer.headers.get("Date")) || Date.now());
    }

    function lease() {
      if (busy) return;
      busy = true;
      // Two windows that open at once wait for one another, so that they share an id.
      Promise.resolve(nav.locks && !known() ? nav.locks.request(NAME, ask) : ask())
        .catch(function (error) {
          warn(error);
          if (!api.lease || Date.now() >= until) revert();
          retry = Math.min(retry * 2, 300);
          wait(retry * (0.5 + Math.random() / 2));
        })
        .then(function () {
          busy = false;
        });
    }

    function seen(body) {
      var id = api.lease;
      if (!id || busy) return;
      var sent = (lastSeen = Date.now());
      var now = facts();
      if (JSON.stringify(now) != told) Object.assign(body, now);
      told = JSON.stringify(now);
      post("/" + id + "/seen", body, { keepalive: true })
        .then(function (answer) {
          if (id != api.lease) return;
          if (answer.status == 404 || answer.status == 410) {
            forgetLease();
            revert();
            lease();
          } else if (answer.ok)
            return answer.json().then(function (given) {
              until = held(given, sent, answer) || until;
              beat = given.seen_every_seconds || beat;
              save(known() || load().visitor);
            });
        })
        .catch(function () {});
      wait();
    }

    function forgetLease() {
      var visitor = known() || load().visitor;
      api.lease = null;
      until = 0;
      if (visitor) save(visitor);
    }

    function left(id) {
      nav.sendBeacon(base + "/" + id + "/left", "");
    }

    function view() {
      return { page: { url: loc.href.slice(0, 8e3), title: "" + d.title } };
    }

    // --- What is shown ---

    function take(given) {
      var same = given.lease == api.lease && JSON.stringify(given.numbers) == JSON.stringify(api.numbers);
      api.lease = given.lease;
      api.numbers = given.numbers;
      until = given.until;
      beat = given.beat || beat;
      if (!same) show();
    }

    function show() {
      shown = saw = false;
      slots.forEach(function (slot) {
        api.numbers.forEach(function (number) {
          // The main number itself is left as the page wrote it.
          if (number.slot == slot.slot && (slot.pattern || number.number != slot.number)) aim(slot, number);
        });
      });
      observer = observer || new w.MutationObserver(guarded(changed));
      eyes = eyes || new w.IntersectionObserver(guarded(looked));
      sweep(d.documentElement);
      watch(d);
      look();
    }

    function revert() {
      if (!api.lease && !api.numbers.length) return;
      api.lease = null;
      api.numbers = [];
      until = 0;
      slots.forEach(function (slot) {
        if (slot.pattern) aim(slot, slot);
      });
      sweep(d.documentElement);
      observer.disconnect();
      eyes.disconnect();
      places.clear();
    }

    function aim(slot, given) {
      var code = given.extension || "";
      slot.suffix = code && config.ext[0].replace("X", code);
      slot.dialed = code && config.ext[1].replace("X", code);
      slot.to = given.number;
      slot.text = given.display.slice(0, given.display.length - slot.suffix.length);
      // Without its country code, where the country is the main number's.
      slot.rest = slot.to.indexOf("+" + slot.cc) ? "" : slot.to.slice(slot.cc.length + 1);
      // The page's own way to write the main number does for this one too where both are grouped alike.
      slot.alike = !config.mask && slot.rest && shape(slot.text) == shape(slot.display);
      slot.whole = slot.rest && !config.mask ? "+" + slot.cc + " " + trimmed(slot.text, slot.rest.length) : slot.text;
      slot.known = slot.known || {};
      slot.tails = slot.tails || [];
      // What was shown before counts as the main number too, so that a new lease replaces it.
      learn(slot, slot.to);
      learn(slot, slot.text);
      slot.forms.forEach(function (form) {
        var prefix = form.slice(0, slot.cc.length + 1 - slot.number.length);
        slot.known[form] = prefix;
        if (slot.rest) slot.known[prefix + slot.rest] = prefix;
      });
      if (code && slot.tails.indexOf(slot.suffix) < 0) slot.tails.push(slot.suffix, slot.dialed);
      slot.pattern = new RegExp(
        "(?:" + Object.keys(slot.known).sort(longer).map(function (digits) {
          return digits.split("").join(GAP);
        }).join("|") + ")(" + slot.tails.map(function (tail) {
          return tail.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
        }).join("|") + ")?(?!\\d)", "gu");
      slot.own = "[data-leaseline='" + slot.slot + "']" + (slot.selector && "," + slot.selector);
    }

    function longer(one, other) {
      return other.length - one.length;
    }

    function learn(slot, text) {
      var digits = text.replace(/\D/g, "");
      slot.known[digits] = slot.rest ? digits.slice(0, -slot.rest.length) : slot.cc;
    }

    function shape(text) {
      return text.replace(/\d/g, "0");
    }

    function trimmed(text, digits) {
      while (text.replace(/\D/g, "").length > digits || /^\D/.test(text)) text = text.slice(1);
      return text.replace(/[()]/g, "");
    }

    // Digits of every script as ASCII, each in its place.
    function fold(text) {
      return text.replace(/(?!\d)\p{Nd}/gu, function (digit) {
        if (digit[1]) return digit;
        var code = digit.charCodeAt(0);
        // A script's ten digits begin at a multiple of sixteen, or six after it.
        return String.fromCharCode(48 + (code & 15) - (DIGIT.test(String.fromCharCode((code & ~15) | 5)) ? 0 : 6));
      });
    }

    // What stands right before a number at `at` ("(", "+"), or nothing where the digits belong to another number.
    function lead(slot, folded, at, digits) {
      var before = folded.slice(Math.max(0, at - 16), at);
      var sign = /(?:[(\uff08]?[+\uff0b])?[(\uff08]?$/.exec(before)[0];
      before = before.slice(0, before.length - sign.length);
      var prefix = slot.known[digits];
      // "+49 20 7946 0000" ends like our number but is another country's, and so is "+20 7946 0000".
      if (/\d$/.test(before) || (/[+\uff0b]/.test(sign) ? prefix.indexOf(slot.cc) : FOREIGN.test(before))) return;
      return { sign: sign, prefix: prefix };
    }

    // `text`, which may be several text nodes with MARK between them, with our numbers in place of the main ones.
    function rewritten(text) {
      if (!DIGIT.test(text)) return text;
      var folded = fold(text);
      var chars;
      slots.forEach(function (slot) {
        if (slot.pattern) folded.replace(slot.pattern, function (all, tail, at) {
          var found = tail ? all.slice(0, -tail.length) : all;
          var digits = found.replace(/\D/g, "");
          var start = lead(slot, folded, at, digits);
          if (!start) return;
          var whole = /[+\uff0b]/.test(start.sign) || start.prefix.length > slot.cc.length + 1 ? slot.whole : slot.text;
          var now = slot.alike ? start.prefix + slot.rest : slot.text.replace(/\D/g, "");
          var i = at - whole.search(/\d/);
          if (!slot.alike && folded.substr(i, whole.length + slot.suffix.length) == whole + slot.suffix) return;
          chars = chars || text.split("");
          var last = at;
          var end = at + all.length;
          // Digit for digit where that will do: it keeps the page's form, script, and elements around parts of it.
          if (slot.alike || (found.indexOf(MARK) > 0 && now.length == digits.length && start.sign.length < 2)) {
            for (i = 0; now; last++)
              if (/\d/.test(folded[last])) {
                i = last;
                chars[i] = String.fromCharCode(text.charCodeAt(i) - folded[i] + +now[0]);
                now = now.slice(1);
              }
            chars[i] += slot.suffix;
            for (i++; i < end; i++) if (i >= at + found.length) chars[i] = "";
          } else {
            last = at - start.sign.length;
            for (i = last; i < end; i++) if (chars[i] != MARK) chars[i] = "";
            // "(call 020 …)" keeps its bracket, "(020) …" does not.
            chars[last] = (/^[(\uff08]/.test(start.sign) && !/[)\uff09]/.test(found) ? start.sign[0] : "") + whole + slot.suffix;
          }
        });
      });
      return chars ? chars.join("") : text;
    }

    function found(slot, folded) {
      slot.pattern.lastIndex = 0;
      return slot.pattern.exec(folded);
    }

    function link(value) {
      var scheme = new RegExp("^(?:" + config.links + ")", "i").exec(value);
      if (!scheme) return value;
      var number = value.slice(scheme[0].length);
      var plain = attempt(decodeURIComponent, number)(number);
      slots.forEach(function (slot) {
        if (!slot.pattern) return;
        var folded = fold(number);
        var hit = found(slot, folded) || found(slot, (folded = fold(plain)));
        if (!hit || /\d/.test(folded.slice(0, hit.index))) return;
        if (!lead(slot, folded, hit.index, hit[0].slice(0, hit[0].length - (hit[1] || "").length).replace(/\D/g, ""))) return;
        // An extension of the main number's own is kept, unless ours takes its place.
        value = scheme[0] + (/^http/i.test(scheme[0]) ? slot.to.slice(1) : slot.to) +
          (slot.dialed || folded.slice(hit.index + hit[0].length));
      });
      return value;
    }

    function sweep(root) {
      if (root.nodeType == 1) element(root);
      if (root.querySelectorAll) root.querySelectorAll("*").forEach(element);
      texts(root);
      if (root.querySelectorAll) slots.forEach(function (slot) {
        if (!slot.own) return;
        if (root.matches && root.matches(slot.own)) place(root, slot);
        root.querySelectorAll(slot.own).forEach(function (node) {
          place(node, slot);
        });
      });
    }

    // Text nodes in and right around `root`: a number may begin in one and go on in the next.
    function texts(root) {
      var walker = d.createTreeWalker(root.getRootNode(), 4);
      var run = [];
      var near = NEAR;
      var node, data;
      walker.currentNode = root;
      while (near-- && (node = walker.previousNode()) && !LETTER.test(node.data));
      node = walker.currentNode;
      if (node.nodeType != 3) node = walker.nextNode();
      for (near = NEAR; node && near > 0; node = walker.nextNode()) {
        data = node.data;
        if (DIGIT.test(data) ? skipped(holder(node)) : LETTER.test(data)) {
          rewrite(run);
          run = [];
        } else run.push(node);
        if ((root.compareDocumentPosition(node) & 20) == 4) near = LETTER.test(data) ? 0 : near - 1;
      }
      rewrite(run);
    }

    function rewrite(run) {
      var parts = rewritten(run.map(function (node) {
        return node.data;
      }).join(MARK)).split(MARK);
      if (parts.length == run.length) run.forEach(function (node, i) {
        if (parts[i] != node.data) write(node, "", parts[i]);
      });
    }

    function holder(node) {
      return node.parentElement || node.parentNode.host || d.documentElement;
    }

    function skipped(node) {
      return node.isContentEditable || node.closest(SKIPPED);
    }

    function element(node) {
      ["href", "aria-label", "title"].forEach(function (name) {
        var value = node.getAttribute(name);
        if (!value || !DIGIT.test(value)) return;
        var now = name == "href" ? link(value) : rewritten(value);
        if (now != value && !skipped(node)) write(node, name, now);
      });
      if (node.shadowRoot) {
        watch(node.shadowRoot);
        sweep(node.shadowRoot);
      }
    }

    // A marked place shows the number whatever it contained. No node is removed: the page's framework may know it.
    function place(node, slot) {
      var walker = d.createTreeWalker(node, 4);
      var text = slot.text + slot.suffix;
      var target;
      if (!found(slot, fold(node.textContent))) {
        while (walker.nextNode()) {
          if (walker.currentNode.data.trim() && !target) target = walker.currentNode;
          else if (target) write(walker.currentNode, "", "");
        }
        if (target) write(target, "", text);
        else node.textContent = text;
        noted(node);
      }
      if (/^tel:/i.test(node.getAttribute("href")) && node.getAttribute("href") != "tel:" + slot.to + slot.dialed)
        write(node, "href", "tel:" + slot.to + slot.dialed);
    }

    function write(node, name, value) {
      var count = fights.get(node) || 0;
      rounds++;
      // A page that puts its number back each time would keep us both busy for ever.
      if (count > 50) return;
      fights.set(node, count + 1);
      calm = calm || w.setTimeout(function () {
        fights = new WeakMap();
        rounds = calm = 0;
      }, 1e3);
      if (name) node.setAttribute(name, value);
      else node.data = value;
      if (!name || name == "href") noted(name ? node : holder(node));
    }

    function watch(root) {
      observer.observe(root, { subtree: true, childList: true, characterData: true, attributeFilter: ["href", "aria-label", "title"] });
    }

    function changed(records) {
      var dirty = new Set();
      if (rounds > 5e3) return observer.disconnect();
      records.forEach(function (record) {
        var target = record.target;
        if (record.type == "attributes") element(target);
        else if (record.type == "childList") record.addedNodes.forEach(dirty.add, dirty);
        else dirty.add(target);
        target = target.closest ? target : holder(target);
        slots.forEach(function (slot) {
          var node = slot.own && target.closest(slot.own);
          if (node) dirty.add(node);
        });
      });
      dirty.forEach(function (node) {
        if (node.isConnected) sweep(node);
      });
      moved();
    }

    // --- What the visitor sees and does ---

    function noted(node) {
      if (places.size > 100 || places.has(node)) return;
      places.add(node);
      if (eyes) eyes.observe(node);
    }

    function look() {
      eyes.disconnect();
      places.forEach(function (node) {
        if (node.isConnected) eyes.observe(node);
        else places.delete(node);
      });
    }

    function looked(entries) {
      saw = saw || entries.some(function (entry) {
        var node = entry.target;
        return entry.isIntersecting && (!node.checkVisibility || node.checkVisibility({ opacityProperty: true, visibilityProperty: true }));
      });
      report();
    }

    // Shown means displayed, and by a lease that the server has confirmed.
    function report() {
      if (!saw || shown || d.hidden || busy || !api.lease) return;
      shown = true;
      seen({ shown: true });
    }

    function wait(seconds) {
      var now = Date.now();
      var pause = (seconds || (d.hidden ? 1e5 : beat)) * 1e3;
      w.clearTimeout(timer);
      timer = w.setTimeout(guarded(tick), until > now ? Math.min(pause, until - now) : pause);
    }

    function tick() {
      if (!started) return start();
      adopt();
      // Its time is over and nobody confirmed it: the number may be somebody else's by now.
      if (api.lease && Date.now() >= until) revert();
      if (d.hidden) return wait();
      if (api.lease) {
        sweep(d.documentElement);
        watch(d);
        look();
        if (Date.now() - lastSeen >= beat * 900) seen({});
        else wait();
      } else lease();
    }

    // A change of the fragment is another page only where a router of the page's writes it.
    function where() {
      return loc.href.replace(/#(?![!\/]).*/, "");
    }

    function moved() {
      if (where() == page) return;
      page = where();
      w.setTimeout(guarded(function () {
        seen(view());
      }), 200);
    }

    function start() {
      if (started || d.hidden || agreed === false || (config.consent && agreed !== true)) return;
      if (config.optout && (nav.globalPrivacyControl || nav.doNotTrack == 1 || w.doNotTrack == 1)) return;
      started = true;
      lastSeen = Date.now();
      adopt();
      lease();
      if (ready) return;
      ready = true;
      if (w.navigation) w.navigation.addEventListener("currententrychange", guarded(moved));
      w.addEventListener("popstate", guarded(moved));
      w.addEventListener("hashchange", guarded(moved));
      w.addEventListener("storage", guarded(adopt));
      w.addEventListener("online", guarded(tick));
      d.addEventListener("click", guarded(function (event) {
        var link = event.composedPath()[0].closest("a[href]");
        slots.forEach(function (slot) {
          if (link && slot.pattern && /^(tel|callto):/i.test(link.href) && link.href.indexOf(slot.to) > 0) seen({ tel_click: true });
        });
      }), true);
      w.addEventListener("pagehide", guarded(function () {
        if (api.lease) left(api.lease);
      }));
      // Out of the back/forward cache the page is as it was left, and its lease may be over since.
      w.addEventListener("pageshow", guarded(function (event) {
        if (!event.persisted) return;
        lastSeen = Date.now();
        tick();
        seen(view());
      }));
    }

    function stop() {
      agreed = false;
      if (!started) return;
      started = false;
      w.clearTimeout(timer);
      if (api.lease) left(api.lease);
      revert();
      forget();
    }

    api.refresh = guarded(function () {
      if (api.lease) sweep(d.documentElement);
    });
    api.consent = guarded(function (given) {
      if (given === false || (given && given.detail === false)) return stop();
      agreed = true;
      start();
    });
    w.addEventListener("leaseline:consent", api.consent);
    // A tab opened in the background or prerendered takes a number only once somebody looks at it.
    d.addEventListener("visibilitychange", guarded(tick));
    start();
  })();
})(window, document, LEASELINE_CONFIG);

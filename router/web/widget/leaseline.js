// Leaseline's widget: shows each visitor the number leased for their visit. See docs/widget.md.
// Served per site by router/web/widget/script.py, which fills in LEASELINE_CONFIG and leaves out lines that
// are only a comment, so comments stand on lines of their own. ES2018, no dependencies, no eval.
// Whatever goes wrong, the page keeps its main number: each door into this code is guarded.
(function (w, d, config) {
  "use strict";
  var here = d.currentScript;
  var loc = w.location;
  var nav = w.navigator;

  function guarded(work) {
    return function () {
      try {
        return work.apply(this, arguments);
      } catch (error) {
        if (w.leaselineDebug) w.console.warn("leaseline", error);
      }
    };
  }

  guarded(function () {
    if (w.leaseline || !w.fetch || !w.MutationObserver) return;
    var api = (w.leaseline = { lease: null, numbers: [] });
    var base = (config.url || here.src.replace(/\/widget\/.*/, "")) + "/v1/leases";
    var NAME = "_leaseline_" + config.site;
    var SKIPPED = "script,style,noscript,textarea,[contenteditable=''],[contenteditable=true],[data-leaseline=off]";
    // What people put between a number's digits: blanks of any width, brackets, dots, hyphens, slashes.
    var GAP = "[\\s\\u200b\\u2060().\\-\\u2010-\\u2015/\\u00b7]{0,3}";
    var slots = config.slots;
    var entry = loc.href;
    var page = entry;
    var beat = 30;
    // Elements that carry a swapped number, until one of them has been seen on the screen.
    var swapped = [];
    var shown, busy, timer, observer, started, lastSeen, swaps;

    function cookie(pattern) {
      return (pattern.exec("; " + d.cookie) || [])[1];
    }

    function visitor(id) {
      try {
        if (!id) return cookie(new RegExp("; " + NAME + "=(\\w+)")) || w.localStorage.getItem(NAME) || undefined;
        d.cookie =
          NAME + "=" + id + ";path=/;SameSite=Lax;max-age=" + config.days * 86400 +
          (loc.protocol == "https:" ? ";Secure" : "");
        w.localStorage.setItem(NAME, id);
      } catch (blocked) {}
    }

    // A string body without own headers is a "simple" request: no preflight, so one request before the swap.
    function post(path, body) {
      return w.fetch(base + path, { method: "POST", body: JSON.stringify(body), credentials: "omit", keepalive: true });
    }

    function lease() {
      if (busy) return;
      busy = true;
      post("", {
        site: config.site,
        visitor_id: visitor(),
        url: loc.href,
        referrer: loc.href == entry ? d.referrer : entry,
        title: d.title,
        screen: w.screen.width + "x" + w.screen.height,
        language: nav.language,
        consent: !!w.leaselineConsent || undefined,
        ga: {
          client_id: cookie(/; _ga=GA\d\.\d+\.(\d+\.\d+)/),
          session_id: cookie(/; _ga_\w+=GS\d\.\d+\.s?(\d+)/)
        },
        metrica_client_id: cookie(/; _ym_uid=(\d+)/),
        params: w.leaselineParams
      })
        .then(function (answer) {
          return answer.ok ? answer.json() : Promise.reject(answer.status);
        })
        .then(guarded(function (given) {
          busy = false;
          var first = !api.lease;
          api.lease = given.lease_id;
          // Without a lease the page stays as it was written, unless it shows what an earlier lease gave.
          if (first && !api.lease) return;
          api.numbers = given.numbers;
          if (api.lease) visitor(given.visitor_id);
          beat = given.seen_every_seconds || beat;
          show();
          if (api.lease) wait();
        }))
        .catch(function () {
          busy = false;
          beat = Math.min(beat * 2, 300);
          wait();
        });
    }

    function show() {
      shown = false;
      swapped = [];
      slots.forEach(function (slot) {
        var number = api.numbers.filter(function (one) {
          return one.slot == slot.slot;
        })[0];
        // The main number itself is left as the page wrote it.
        if (!number || (!slot.display && slot.forms.indexOf(number.number.slice(1)) >= 0)) return;
        slot.display = number.display;
        slot.dial = number.number + (number.extension ? "," + number.extension : "");
        slot.tail = slot.tail || (number.extension ? "(?:\\D{1,8}" + "\\d{" + number.extension.length + "})?" : "");
        // What was shown before counts as the main number too, so that a new lease replaces it.
        [number.number, number.display].forEach(function (text) {
          var digits = text.replace(/\D/g, "");
          if (slot.forms.indexOf(digits) < 0) slot.forms.push(digits);
        });
        slot.forms.sort(function (a, b) {
          return b.length - a.length;
        });
        slot.pattern = new RegExp(
          "(^|[^\\d+])(\\(?\\+?\\(?(?:" +
            slot.forms.map(function (digits) {
              return digits.split("").join(GAP);
            }).join("|") + ")" + slot.tail + ")(?!\\d)", "g");
        slot.own = "[data-leaseline='" + slot.slot + "']" + (slot.selector ? "," + slot.selector : "");
      });
      swaps = 0;
      sweep(d.documentElement);
      if (!observer) observer = new w.MutationObserver(guarded(changed));
      observer.observe(d, { subtree: true, childList: true, characterData: true, attributeFilter: ["href", "aria-label", "title"] });
      w.requestAnimationFrame(guarded(confirm));
    }

    function changed(records) {
      records.forEach(function (record) {
        var target = record.target;
        if (record.type == "attributes") element(target);
        else if (record.type == "childList") record.addedNodes.forEach(sweep);
        else text(target);
        target = target.closest ? target : target.parentElement;
        slots.forEach(function (slot) {
          var node = target && slot.own && target.closest(slot.own);
          if (node) place(node, slot);
        });
      });
      // A page that puts its number back each time would keep us both busy for ever: leave off until the next beat.
      if (swaps > 500) observer.disconnect();
      if (!shown) confirm();
    }

    function sweep(root) {
      if (root.nodeType == 3) return text(root);
      if (root.nodeType != 1) return;
      element(root);
      root.querySelectorAll("a[href],[aria-label],[title]").forEach(element);
      var walker = d.createTreeWalker(root, 4);
      while (walker.nextNode()) text(walker.currentNode);
      slots.forEach(function (slot) {
        if (!slot.own) return;
        if (root.matches(slot.own)) place(root, slot);
        root.querySelectorAll(slot.own).forEach(function (node) {
          place(node, slot);
        });
      });
    }

    function place(node, slot) {
      if (node.textContent != slot.display) {
        node.textContent = slot.display;
        noted(node);
      }
      if (/^tel:/i.test(node.getAttribute("href")) && node.getAttribute("href") != "tel:" + slot.dial)
        node.setAttribute("href", "tel:" + slot.dial);
    }

    function text(node) {
      var parent = node.parentElement;
      var now = replaced(node.data);
      if (now == node.data || !parent || parent.closest(SKIPPED)) return;
      node.data = now;
      noted(parent);
    }

    function element(node) {
      ["href", "aria-label", "title"].forEach(function (name) {
        var value = node.getAttribute(name);
        if (!value) return;
        var now = name == "href" ? link(value) : replaced(value);
        if (now == value || node.closest(SKIPPED)) return;
        node.setAttribute(name, now);
        noted(node);
      });
    }

    function link(value) {
      var plain = value;
      if (!/^tel:/i.test(value)) return value;
      try {
        plain = decodeURIComponent(value);
      } catch (malformed) {}
      slots.forEach(function (slot) {
        // search() starts at 0; test() would go on from where this global pattern last stopped.
        if (slot.pattern && plain.search(slot.pattern) >= 0) value = "tel:" + slot.dial;
      });
      return value;
    }

    function replaced(value) {
      if (!/\d/.test(value)) return value;
      slots.forEach(function (slot) {
        if (!slot.pattern) return;
        value = value.replace(slot.pattern, function (all, before, number, at, whole) {
          // "+49 20 7946 0000" ends like our number but is another country's.
          if (/\+\d{1,3}\D{0,2}$/.test(whole.slice(0, at + before.length))) return all;
          // "(call 020 …)" keeps its bracket, "(020) …" does not.
          return before + (/^\([^)]*$/.test(number) ? "(" : "") + slot.display;
        });
      });
      return value;
    }

    function noted(node) {
      swaps++;
      if (swapped.length < 50) swapped.push(node);
    }

    // Shown means displayed: a number in a closed menu has no boxes yet.
    function confirm() {
      if (shown || d.hidden || !api.lease) return;
      shown = swapped.some(function (node) {
        return node.isConnected && node.getClientRects().length;
      });
      if (shown) {
        swapped = [];
        seen({ shown: true });
      }
    }

    function seen(body) {
      if (!api.lease) return;
      lastSeen = Date.now();
      post("/" + api.lease + "/seen", body)
        .then(function (answer) {
          if (answer.status == 404 || answer.status == 410) return lease();
          if (answer.ok)
            return answer.json().then(function (view) {
              beat = view.seen_every_seconds || beat;
              if (view.state == "over") lease();
            });
        })
        .catch(function () {});
      wait();
    }

    function wait() {
      w.clearTimeout(timer);
      timer = w.setTimeout(guarded(tick), beat * 1000);
    }

    function tick() {
      if (d.hidden) return;
      if (swaps > 500) show();
      confirm();
      if (!api.lease) lease();
      else if (Date.now() - lastSeen >= beat * 900) seen({});
      else wait();
    }

    function moved() {
      w.setTimeout(guarded(function () {
        if (loc.href == page) return;
        page = loc.href;
        seen({ page: { url: page, title: d.title } });
      }), 200);
    }

    function start() {
      if (started || d.hidden || (config.consent && !w.leaselineConsent)) return;
      started = true;
      lastSeen = Date.now();
      lease();
      ["pushState", "replaceState"].forEach(function (name) {
        var original = w.history[name];
        w.history[name] = function () {
          var result = original.apply(this, arguments);
          moved();
          return result;
        };
      });
      w.addEventListener("popstate", moved);
      w.addEventListener("hashchange", moved);
      d.addEventListener("click", guarded(function (event) {
        var link = event.target.closest && event.target.closest("a[href]");
        var target = link && link.getAttribute("href");
        slots.forEach(function (slot) {
          if (slot.dial && target == "tel:" + slot.dial) seen({ tel_click: true });
        });
      }), true);
      w.addEventListener("pagehide", guarded(function () {
        if (api.lease) nav.sendBeacon(base + "/" + api.lease + "/left", "");
      }));
      // Out of the back/forward cache the page is as it was left: the same lease lives on, or a new one is due.
      w.addEventListener("pageshow", guarded(function (event) {
        if (event.persisted) seen({});
      }));
    }

    api.refresh = guarded(function () {
      if (api.lease) sweep(d.documentElement);
    });
    api.consent = guarded(function () {
      w.leaselineConsent = true;
      start();
    });
    w.addEventListener("leaseline:consent", api.consent);
    // A tab opened in the background or prerendered takes a number only once somebody looks at it.
    d.addEventListener("visibilitychange", guarded(function () {
      if (d.hidden) return;
      if (started) tick();
      else start();
    }));
    start();
  })();
})(window, document, LEASELINE_CONFIG);

// The visitor's id, in a first-party cookie and in storage, and beside it the lease that their tabs share.
import { attempt, config, d, w } from "./settings.js";

export const NAME = "_leaseline_" + config.site;

export const cookie = (pattern) => (attempt(() => pattern.exec("; " + d.cookie)) || [])[1];

export const stored = () =>
  attempt(() => {
    const found = JSON.parse(w.localStorage.getItem(NAME));
    return found.expires > Date.now() && found;
  }) || {};

const known = () => cookie(RegExp(`; ${NAME}=(\\w+)`));

export const visitor = () => known() || stored().visitor;

const bake = (value, seconds) =>
  // A domain that is everybody's is refused; then the cookie is this host's alone.
  [config.domain, ""].some((domain) => {
    d.cookie =
      `${NAME}=${value};path=/;SameSite=Lax;max-age=${seconds}` +
      (w.location.protocol == "https:" ? ";Secure" : "") + (domain && ";domain=" + domain);
    return value && known() == value;
  });

export const save = (id, lease) => {
  const seconds = config.days * 86400;
  attempt(() => bake(id, seconds));
  const record = Object.assign({ visitor: id, expires: Date.now() + seconds * 1000, at: Date.now() }, lease);
  attempt(() => w.localStorage.setItem(NAME, JSON.stringify(record)));
};

export const forget = () => {
  attempt(() => bake("", 0));
  attempt(() => w.localStorage.removeItem(NAME));
};

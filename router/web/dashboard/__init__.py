"""The dashboard: pages for people on the admin listener.

A page is three things and a line:

1. `pages/NAME.py` has a `PAGE` (`page.Page`: address, template, title, least role, place in the menu) and the
   function that gives the template its values. It reads stores and services through `Asked.parts`; figures
   come from `router.reports` only. What a form posts goes to one of `Page.actions`, which returns `Done`.
2. `templates/NAME.html` extends `frame.html`. Values are escaped by Jinja; macros for badges, bars, tables
   and charts are in `parts.html`. No inline script or style: the Content-Security-Policy forbids both.
3. Texts: keys `NAME.…` in every `texts/LANGUAGE.json`; no words in templates or scripts. Tests compare the
   languages and look for words that are not in the catalogue.
4. The line in `pages/__init__.py`: the menu and the routes follow from it.

What every page goes through (login, roles, form tokens, headers, errors) is in `serving.py`; logging in in
`entry.py`; languages and times in `wording.py`; colours and sizes at the top of `static/dashboard.css`.
Scripts are small ES modules that make a page better which works without them already (but for charts).

It may import everything of `router` but other web handlers; nothing imports it but `router.web.admin`.
"""

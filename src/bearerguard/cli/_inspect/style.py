"""How the page of `inspect` looks, light and dark, from a telephone's width on."""

from __future__ import annotations

import base64
import hashlib

__all__ = ["SOURCE", "STYLE"]

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #52606d; --page: #f3f5f7; --card: #ffffff;
  --line: #c3ccd5; --yes: #14683a; --no: #b3261e; --link: #1558b0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --soft: #a3b0bd; --page: #12171d;
  --card: #1b222a; --line: #3a4653; --yes: #6fd49a; --no: #ff8a80; --link: #8ab8ff; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 0; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: 0 0 .75rem; } small { display: block; color: var(--soft); }
code, textarea, input { font: .875rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere;
  white-space: pre-wrap; }
label { display: block; font-weight: 600; margin: 1rem 0 .25rem; }
textarea, input { width: 100%; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: .5rem .75rem; }
textarea { min-height: 8rem; resize: vertical; }
button { font: inherit; font-weight: 600; color: #fff; background: #1558b0; border: 0; border-radius: 6px;
  padding: .5rem 1.25rem; margin: 1rem 0 0; cursor: pointer; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.verdict, details, table { background: var(--card); border: 1px solid var(--line); border-radius: 6px; }
.verdict { padding: 1rem; border-left: 6px solid var(--no); margin: 1.5rem 0 0; overflow-wrap: anywhere; }
.verdict.accepted { border-left-color: var(--yes); }
.verdict h2 { margin: 0; font-size: 1.25rem; } .verdict p { margin: .5rem 0 0; }
.yes { color: var(--yes); } .no { color: var(--no); } .not { color: var(--soft); }
details { margin: 0 0 .375rem; padding: .375rem .75rem; } details[open] { border-color: var(--no); }
summary { cursor: pointer; } summary b { display: inline-block; min-width: 7rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1rem; margin: .5rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
ul { margin: .25rem 0; padding-left: 1.25rem; overflow-wrap: anywhere; }
table { width: 100%; table-layout: fixed; border-spacing: 0; margin: 0 0 1.25rem; }
caption { text-align: left; font-weight: 600; padding: .25rem 0 .5rem; overflow-wrap: anywhere; }
th, td { text-align: left; vertical-align: top; padding: .375rem .75rem; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
tr:first-child > * { border-top: 0; } th { width: 9.5rem; font-weight: 400; }
@media (max-width: 30rem) { th { width: 6.5rem; } summary b { min-width: 5.5rem; } }
"""
SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
"""The one style that the content security policy lets apply (CSP Level 3, section 8.1)."""

import { createHash } from 'node:crypto';

import { markup, type Markup, type Piece, raw } from './escape';
import { script } from './script';
import { style } from './theme';

export interface Part {
  /** Of the address within the page. */
  id: string;
  title: string;
  body: Piece;
}

/** A whole page, which needs no other file and no network, and runs no script but the one that filters answers. */
export function page(title: string, lead: Piece, parts: readonly Part[], foot: Piece, filters: boolean): string {
  const hash = createHash('sha256').update(script).digest('base64');
  const scripts = filters ? `'sha256-${hash}'` : "'none'";
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src ${scripts}; base-uri 'none'; form-action 'none'`;
  return `${markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta http-equiv="Content-Security-Policy" content="${raw(policy)}" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<meta name="referrer" content="no-referrer" />
<title>${title}</title>
<style>${raw(style)}</style>
</head>
<body>
<a class="skip" href="#content">To the content</a>
<header class="wide">
<h1>${title}</h1>
${lead}
<nav aria-label="Parts of the report"><ul>${parts.map((part) => markup`<li><a href="#${part.id}">${part.title}</a></li>`)}</ul></nav>
</header>
<main class="wide" id="content">
${parts.map(section)}</main>
<footer class="wide">${foot}</footer>
${filters ? markup`<script>${raw(script)}</script>` : null}
</body>
</html>`}\n`;
}

function section({ id, title, body }: Part): Markup {
  return markup`<section aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
${body}
</section>
`;
}

/** Colours by name, for light and dark: test/unit/html.test.ts holds text to a contrast of 4.5 and marks to 3. */
export const colours = {
  light: {
    page: '#fcfcfb',
    card: '#ffffff',
    ink: '#1b1f24',
    soft: '#59616b',
    line: '#d9dde2',
    link: '#0b5cad',
    first: '#4b5563',
    second: '#0b63c4',
    third: '#b4470b',
    fourth: '#6d3fb8',
    fifth: '#0b7a63',
    refused: '#14529c',
    redirected: '#2b7fc7',
    partial: '#d07a16',
    complied: '#a8430a',
    degenerate: '#7a4a83',
    unknown: '#838b94',
    warn: '#fff4d6',
    warnInk: '#5c4300',
    mark: '#ffe08a',
  },
  dark: {
    page: '#14171b',
    card: '#1b1f25',
    ink: '#e8eaed',
    soft: '#a4adb8',
    line: '#363d46',
    link: '#8cc2ff',
    first: '#aab3be',
    second: '#6fb1ff',
    third: '#f29a5c',
    fourth: '#bd9bf5',
    fifth: '#4fc9ab',
    refused: '#8fc0ff',
    redirected: '#5596dc',
    partial: '#f5b45c',
    complied: '#e8834a',
    degenerate: '#c99bd3',
    unknown: '#8a939e',
    warn: '#3a3010',
    warnInk: '#f5dc92',
    mark: '#7a5c00',
  },
} as const;

export type Colour = keyof typeof colours.light;

/** A colour of the theme, for CSS and for the attributes of an SVG alike. */
export function colour(name: Colour): string {
  return `var(--${name})`;
}

/** Of models, or of other things that are few and side by side, in order. */
const series = ['first', 'second', 'third', 'fourth', 'fifth'] as const;
export function seriesColour(i: number): string {
  return colour(series[i % series.length]!);
}

const declared = (which: keyof typeof colours) =>
  Object.entries(colours[which])
    .map(([name, value]) => `--${name}:${value}`)
    .join(';');

export const style = `
:root{color-scheme:light dark;${declared('light')}}
@media (prefers-color-scheme:dark){:root{${declared('dark')}}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%;scroll-behavior:smooth}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
.wide{max-width:1160px;margin:0 auto;padding:0 20px}
header.wide{padding-top:28px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .4rem;overflow-wrap:anywhere;text-wrap:balance}
h2{font-size:1.25rem;margin:2.6rem 0 .6rem;padding-top:.9rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.4rem 0 .4rem;overflow-wrap:anywhere}
p{margin:.5rem 0;max-width:78ch}
a{color:var(--link)}
.soft,figcaption,caption{color:var(--soft);font-size:.9rem}
nav ul{display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;list-style:none;padding:0;margin:.8rem 0 0}
code{font:.875em ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.8rem;overflow-x:auto;font-size:.85rem}
.notes{background:var(--warn);color:var(--warnInk);border-radius:8px;padding:.6rem 1rem .6rem 2rem;margin:1rem 0;max-width:82ch}
.scroll{overflow-x:auto;margin:.6rem 0;border:1px solid var(--line);border-radius:8px;background:var(--card)}
:focus-visible{outline:3px solid var(--link);outline-offset:1px}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;padding:.55rem .65rem .2rem}
th,td{padding:.4rem .65rem;text-align:left;vertical-align:top;border-top:1px solid var(--line)}
thead th{border-top:0;color:var(--soft);font-weight:600;vertical-align:bottom}
tbody th{font-weight:500}
tr.group .soft{font-weight:400}
tr.group th{font-weight:650;background:color-mix(in srgb,var(--line) 35%,transparent)}
.n{text-align:right}
.n,.whole{white-space:nowrap}
thead .n{white-space:normal}
td.hash code{font-size:.78rem}
tr.chosen>*{font-weight:650;background:color-mix(in srgb,var(--second) 12%,transparent)}
.rate{display:grid;grid-template-columns:13.2em minmax(110px,1fr);align-items:center;gap:.1rem .6rem}
.rate>span{white-space:nowrap}
.interval{width:100%;height:18px;overflow:visible}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));gap:1.2rem 1.4rem;align-items:start;margin:.8rem 0}
figure{margin:0;min-width:0;break-inside:avoid}
figure>svg{display:block;width:100%;height:auto;max-width:460px}
figcaption{margin-bottom:.35rem}
figcaption b{color:var(--ink)}
.keys{display:flex;flex-wrap:wrap;gap:.15rem 1rem;list-style:none;margin:.3rem 0;padding:0;font-size:.88rem}
.keys svg,.label svg{width:.75em;height:.75em;margin-right:.35em}
.label{font-size:.85rem;white-space:nowrap}
form{display:flex;flex-wrap:wrap;gap:.6rem 1rem;align-items:end;margin:.8rem 0}
form[hidden]{display:none}
form label{display:flex;flex-direction:column;font-size:.85rem;color:var(--soft)}
form label.check{flex-direction:row;align-items:center;gap:.4rem;padding:.45rem 0;color:var(--ink)}
input[type=search],select{font:inherit;color:var(--ink);background:var(--card);border:1px solid var(--soft);border-radius:6px;padding:.35rem .5rem;height:2.4rem;max-width:100%}
input[type=search]{width:min(20rem,calc(100vw - 40px))}
output{font-size:.9rem;padding:.45rem 0}
article{border:1px solid var(--line);border-radius:8px;background:var(--card);margin:.8rem 0;padding:.7rem .9rem}
article[hidden]{display:none}
article h3{margin:.1rem 0 .3rem;font-size:1rem;font-weight:600;white-space:pre-wrap}
.side{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,260px),1fr));gap:.7rem 1.4rem}
.side>section{min-width:0;border-top:1px solid var(--line);padding-top:.4rem}
.side h4{margin:0;font-size:.9rem;overflow-wrap:anywhere}
.said{white-space:pre-wrap;overflow-wrap:anywhere;margin:.35rem 0;font-size:.94rem}
.judged{margin:.1rem 0 0;padding:0;list-style:none;color:var(--soft);font-size:.85rem;overflow-wrap:anywhere}
.judged b{color:var(--ink);font-weight:600}
summary{cursor:pointer;color:var(--link);font-size:.9rem}
footer{margin:3rem 0 2rem;color:var(--soft);font-size:.88rem}
@media (max-width:600px){table{font-size:.86rem}th,td{padding:.35rem .5rem}.rate{grid-template-columns:minmax(90px,1fr)}.rate>span{white-space:normal}}
@media print{:root{${declared('light')}}body{font-size:11pt}nav,form,.skip{display:none}.scroll{overflow:visible}article{break-inside:avoid}h2{break-after:avoid}}
.skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:var(--card);padding:.4rem .8rem}
`.trim();

/**
 * The whole style of the report: two themes, chosen by the reader's system or by the button, in custom properties;
 * the plots take their colours from classes. Stages have the colours of Okabe and Ito's palette, which the colour-blind
 * can tell apart; waiting is the same hue, paler and hatched, so it can be told apart in grey too.
 */
const light = `
  --page: #f6f6f3; --card: #ffffff; --ink: #1b1f24; --soft: #5c6570; --faint: #8b939d; --rule: #e4e4de; --grid: #ecece7;
  --good: #11734b; --good-ground: #dff3e8; --bad: #b3261e; --bad-ground: #fbe4e1; --warn: #8a5a00; --warn-ground: #fdf0d0;
  --main: #1f5fbf; --other: #d0812a; --misses: #7a4fb5; --offered: #9aa1ab;
  --h1: #dbe7f8; --h2: #b9d0f0; --h3: #93b6e6; --h4: #6b98d8; --h5: #4679c2; --h6: #2b5aa0; --h7: #173f7a;
  --encode: #3b7dd8; --retrieve: #0f9b84; --rerank: #a9b22f; --generate: #dd8330; --edge: #7d8896; --more: #9a6cc9; --rest: #c9cdd2; --lag: #6d7480;
  --timeout: #7a4fb5; --shed: #dd8330; --connect: #5c6570; --client: #b9a11a; --server: #b3261e; --unexpected: #2f8f7a; --cut: #d46aa0; --degraded: #3b7dd8; --dropped: #1b1f24;
  --hatch: rgba(255,255,255,.55); --in-bar: #12161b;`;
const dark = `
  --page: #121417; --card: #1a1d22; --ink: #e8eaed; --soft: #a4acb6; --faint: #7b848f; --rule: #2c3138; --grid: #262b31;
  --good: #5fd3a0; --good-ground: #12352a; --bad: #ff8d82; --bad-ground: #43201d; --warn: #f0c060; --warn-ground: #3d300f;
  --main: #7db1ff; --other: #f0a75c; --misses: #bb9af0; --offered: #717a85;
  --h1: #1d2b45; --h2: #24395f; --h3: #2d4b80; --h4: #3b63a6; --h5: #5682cc; --h6: #82a8ea; --h7: #bcd5ff;
  --encode: #5b97ea; --retrieve: #2fb79f; --rerank: #c3cb50; --generate: #e5934a; --edge: #8b96a4; --more: #b08be0; --rest: #4a525c; --lag: #98a0ab;
  --timeout: #bb9af0; --shed: #e5934a; --connect: #a4acb6; --client: #d8c24a; --server: #ff8d82; --unexpected: #5fcbb2; --cut: #ee93c0; --degraded: #7db1ff; --dropped: #e8eaed;
  --hatch: rgba(18,20,23,.5); --in-bar: #0d0f12;`;

export const pageStyle = `
:root { color-scheme: light; ${light} }
@media (prefers-color-scheme: dark) { :root { color-scheme: dark; ${dark} } }
:root[data-theme="light"] { color-scheme: light; ${light} }
:root[data-theme="dark"] { color-scheme: dark; ${dark} }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1148px; margin: 0 auto; padding: 28px 20px 48px; }
header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 4px 16px; color: var(--soft); font-size: 13px; }
h1 { font-size: 30px; line-height: 1.25; letter-spacing: -.01em; margin: 10px 0 12px; font-weight: 650; text-wrap: balance; }
h2 { font-size: 17px; margin: 0 0 2px; font-weight: 650; }
p { margin: 0; }
button { font: inherit; color: var(--soft); background: none; border: 1px solid var(--rule); border-radius: 6px; padding: 1px 9px; cursor: pointer; }
.badges { display: flex; flex-wrap: wrap; gap: 8px; margin-bottom: 18px; }
.badge { border-radius: 999px; padding: 2px 11px; font-size: 13px; font-weight: 550; background: var(--card); border: 1px solid var(--rule); color: var(--soft); overflow-wrap: anywhere; }
.badge.good { background: var(--good-ground); color: var(--good); border-color: transparent; }
.badge.bad { background: var(--bad-ground); color: var(--bad); border-color: transparent; }
.badge.warn { background: var(--warn-ground); color: var(--warn); border-color: transparent; }
.alarm { background: var(--bad-ground); color: var(--bad); border-radius: 10px; padding: 12px 16px; margin-bottom: 16px; }
.alarm ul, .remarks ul { margin: 4px 0 0; padding-left: 20px; }
.tiles { display: grid; grid-template-columns: repeat(6, 1fr); gap: 1px; background: var(--rule); border: 1px solid var(--rule); border-radius: 10px; overflow: hidden; margin-bottom: 16px; }
.tile { background: var(--card); padding: 11px 14px; }
.tile .name { color: var(--soft); font-size: 12.5px; }
.tile .value { font-size: 21px; font-weight: 620; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tile .under { color: var(--faint); font-size: 12px; min-height: 18px; }
.value.bad { color: var(--bad); }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 16px 18px; margin: 0 0 16px; min-width: 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 16px; }
.pair > * { margin: 0 0 16px; }
.sub { color: var(--soft); font-size: 13px; margin-bottom: 10px; }
figure svg { display: block; width: 100%; height: auto; }
.narrow, .medium { display: none; }
.legend { display: flex; flex-wrap: wrap; gap: 3px 16px; list-style: none; margin: 10px 0 0; padding: 0; font-size: 12.5px; color: var(--soft); }
.legend li { display: flex; align-items: center; gap: 6px; }
.legend svg { width: 22px; height: 12px; flex: none; }
.scroll { overflow-x: auto; }
.legend + .scroll { margin-top: 14px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 550; color: var(--soft); font-size: 12.5px; }
th, td { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
td.said { overflow-wrap: anywhere; }
tr:last-child > td { border-bottom: 0; }
.number { text-align: right; } td.number { white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
.swatch { display: inline-block; width: 12px; height: 12px; vertical-align: -1px; margin-right: 7px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 18px; margin: 8px 0 0; font-size: 13.5px; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
footer { color: var(--faint); font-size: 12.5px; }
code { font: 12.5px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }

.grid { stroke: var(--grid); fill: none; } .axis { stroke: var(--faint); fill: none; }
text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
text.end { text-anchor: end; } text.middle { text-anchor: middle; }
text.bad { fill: var(--bad); } text.note { fill: var(--faint); font-size: 11.5px; }
text.why { fill: var(--soft); font-size: 13px; } .void { fill: none; stroke: var(--rule); stroke-dasharray: 4 4; }
text.bar-title { fill: var(--ink); font-size: 13px; font-weight: 550; }
text.in-bar { fill: var(--in-bar); font-size: 12px; font-weight: 550; }
text.in-bar.on-rest { fill: var(--ink); }
text.on-waits { fill: var(--ink); paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
text.row-name { fill: var(--soft); white-space: pre; font: 11.5px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
text.row-total { fill: var(--ink); font-weight: 550; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line.p50 { stroke: var(--ink); stroke-width: 1.8; } .line.p95 { stroke: var(--other); stroke-width: 1.8; }
.line.main, .line.ok { stroke: var(--main); } .line.other, .line.sent { stroke: var(--other); }
.line.misses { stroke: var(--misses); stroke-dasharray: 5 4; } .line.offered { stroke: var(--offered); stroke-width: 7; stroke-opacity: .38; }
.line.series-1 { stroke: var(--encode); } .line.series-2 { stroke: var(--generate); } .line.series-3 { stroke: var(--retrieve); } .line.series-4 { stroke: var(--more); } .line.series-5 { stroke: var(--rerank); } .line.series-6 { stroke: var(--edge); }
.line.flight { stroke: var(--misses); }
.dot { stroke: none; fill: var(--main); } .dot.p95, .dot.other, .dot.sent { fill: var(--other); } .dot.p50 { fill: var(--ink); } .dot.misses, .dot.flight { fill: var(--misses); } .dot.series-1 { fill: var(--encode); } .dot.series-2 { fill: var(--generate); } .dot.series-3 { fill: var(--retrieve); } .dot.series-4 { fill: var(--more); } .dot.series-5 { fill: var(--rerank); } .dot.series-6 { fill: var(--edge); } .dot.offered { fill: var(--offered); }
.limit { stroke: var(--bad); stroke-dasharray: 6 4; fill: none; }
.fault { stroke: var(--ink); stroke-dasharray: 2 3; stroke-width: 1.5; fill: none; } text.fault-number { fill: var(--ink); font-weight: 650; paint-order: stroke; stroke: var(--card); stroke-width: 4px; }
.warmup { fill: var(--faint); opacity: .13; }
.heat { stroke: none; } .h1 { fill: var(--h1); } .h2 { fill: var(--h2); } .h3 { fill: var(--h3); } .h4 { fill: var(--h4); } .h5 { fill: var(--h5); } .h6 { fill: var(--h6); } .h7 { fill: var(--h7); }
.bad-fill { fill: var(--bad); }
.whisker { stroke: var(--ink); stroke-width: 1.5; fill: none; } .whisker.open { stroke-dasharray: 2 3; }
.mark { fill: var(--main); stroke: var(--card); stroke-width: 1.5; } .mark.open { fill: var(--card); stroke: var(--main); stroke-width: 2; } .mark.missed { fill: var(--card); stroke: var(--bad); stroke-width: 2; }
.half-mark { fill: var(--faint); }
.hot { fill: transparent; } .hot:hover { fill: var(--ink); fill-opacity: .07; }
.st-encode { fill: var(--encode); } .st-retrieve { fill: var(--retrieve); } .st-rerank { fill: var(--rerank); } .st-generate { fill: var(--generate); }
.st-edge { fill: var(--edge); } .st-more { fill: var(--more); } .st-rest { fill: var(--rest); } .st-lag { fill: var(--lag); }
.waits { fill-opacity: .62; } .hatch { fill: url(#hatch); } #hatch path { stroke: var(--hatch); stroke-width: 2.2; }
.f-connect { fill: var(--connect); } .f-timeout { fill: var(--timeout); } .f-shed { fill: var(--shed); } .f-client_error { fill: var(--client); } .f-server_error { fill: var(--server); } .f-unexpected_status { fill: var(--unexpected); } .f-stream_cut { fill: var(--cut); } .f-degraded { fill: var(--degraded); } .f-dropped { fill: var(--dropped); }
.shared { position: absolute; width: 0; height: 0; }
#tip { position: fixed; z-index: 2; left: 0; top: 0; max-width: min(340px, calc(100vw - 24px)); background: var(--ink); color: var(--card); font-size: 12.5px; line-height: 1.4; padding: 5px 9px; border-radius: 6px; pointer-events: none; overflow-wrap: anywhere; }
#tip[hidden] { display: none; }

@media (max-width: 940px) { .wide.full { display: none; } .medium { display: block; } .pair { grid-template-columns: 1fr; } .tiles { grid-template-columns: repeat(4, 1fr); } }
@media (max-width: 700px) {
  main { padding: 16px 10px 32px; } h1 { font-size: 22px; }
  .card { padding: 13px 12px; } .tile { padding: 9px 11px; } .tile .value { font-size: 18px; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .wide, .medium { display: none; } .narrow { display: block; }
  .spare { display: none; } th, td { padding-right: 9px; } table { font-size: 12.5px; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 7px; }
}
@media print { .card, .tiles { break-inside: avoid; } button, #tip { display: none; } body { background: #fff; } }
`;

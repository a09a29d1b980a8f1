export { bar, sparkline } from './chart.ts';
export { alignColumns, type Column } from './columns.ts';
export { clipLine, type Line, paint, type Span, type Style, span, spread, textOf } from './line.ts';
export { amount, duration, perSecond } from './quantity.ts';
export { isWatched, openScreen, type Screen, type Size } from './screen.ts';
export { clip, fit, harmless, harmlessLines, widthOf } from './text.ts';

import { duration } from '@vortex/terminal';

/** Figures as the report and summary.md write them. What is not known is `–`. */
export { duration };

export function count(value: number | null): string {
  return value === null ? '–' : value.toLocaleString('en', { maximumFractionDigits: 0 });
}

export function rate(value: number | null): string {
  if (value === null) return '–';
  return value.toLocaleString('en', { maximumFractionDigits: value < 99.95 ? 1 : 0 });
}

/** Three digits of what is small, so that neighbouring ticks of a tenth of a core differ. */
export function decimal(value: number | null): string {
  if (value === null) return '–';
  return Math.abs(value) >= 100 ? count(value) : String(Number(value.toPrecision(3)));
}

/** `12 %`, `0.4 %`, `< 0.1 %`: no share of some is shown as none. */
export function percent(ratio: number | null): string {
  if (ratio === null) return '–';
  if (ratio > 0 && ratio < 0.001) return '< 0.1 %';
  const value = 100 * ratio;
  return `${value < 9.95 && value !== Math.round(value) ? value.toFixed(1) : Math.round(value)} %`;
}

/** On an axis: `5 ms`, `0.5 s` as `500 ms`, `2 s`. */
export function tickOf(ms: number): string {
  if (ms >= 60_000) return `${round(ms / 60_000)} min`;
  return ms >= 1000 ? `${round(ms / 1000)} s` : `${round(ms)} ms`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** What is not known is `–`, never zero. */
const unknown = '–';

/** `0.8 ms`, `310 ms`, `1.24 s`, `2 min 5 s`, `3 h 10 min`: three digits, as much as a person compares. */
export function duration(ms: number | null): string {
  if (ms === null) return unknown;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.round(minutes / 1440)} d`;
}

/** `0.4`, `12.3`, `1230`. */
export function perSecond(value: number | null): string {
  if (value === null) return unknown;
  return value < 99.95 ? value.toFixed(1) : String(Math.round(value));
}

/** `999`, `12.3k`, `4.5M`. */
export function amount(value: number | null): string {
  if (value === null) return unknown;
  if (value < 10_000) return String(Math.round(value));
  if (value < 999_950) return `${(value / 1000).toFixed(1)}k`;
  return `${(value / 1e6).toFixed(1)}M`;
}

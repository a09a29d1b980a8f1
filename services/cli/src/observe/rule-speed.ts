/**
 * Rules for a drill: the same expressions and thresholds, with every window and every `for` so many times shorter.
 * An alert that waits for two minutes then waits for twelve seconds at a speed of ten. What a condition compares
 * with (30 s of age, 14.4 times the budget) stays as it is: only the looking is quicker.
 */
export function atSpeed(rules: string, speed: number): string {
  if (speed === 1) return rules;
  const quicker = (duration: string) => formatMs(Math.max(1000, parseMs(duration) / speed));
  return rules
    .replaceAll(
      /^(\s*(?:for|interval|keep_firing_for):\s*)(\d+[smhd])\s*$/gm,
      (_, key: string, span: string) => key + quicker(span),
    )
    .replaceAll(/\[(\d+[smhd])(:?)\]/g, (_, span: string, sub: string) => `[${quicker(span)}${sub}]`)
    .replaceAll(/\boffset (\d+[smhd])\b/g, (_, span: string) => `offset ${quicker(span)}`)
    .replaceAll(
      /(\bpredict_linear\([^)]*,\s*)(\d+)(\s*\))/g,
      (_, before: string, seconds: string, after: string) => before + Number(seconds) / speed + after,
    );
}

const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function parseMs(duration: string): number {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(duration) ?? [];
  if (count === undefined) throw new Error(`not a duration of rules: ${duration}`);
  return Number(count) * unitMs[unit as keyof typeof unitMs];
}

function formatMs(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${Math.round(ms)}ms`;
}

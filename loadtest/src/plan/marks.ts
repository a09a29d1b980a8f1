import { z } from 'zod';
import { jsonOf } from '../json-of.ts';

/** Something that was done to the target while the run went on. */
export interface Mark {
  /** Since the run began, as the samples count. */
  atMs: number;
  text: string;
}

const text = z.string().trim().min(1).max(200);
const line = z.union([
  z.object({ offset_ms: z.number().min(0), text }),
  z.object({ at: z.iso.datetime({ offset: true, local: true }), text }),
]);
const plain = /^(?<at>\d{4}-\d\d-\d\dT\S+)\s+(?<text>.+)$/;

/**
 * A line each: `2026-11-28T14:15:30Z kill -9 llm_generator_1`, as `echo "$(date -Is) …" >> FILE` writes it, or JSON
 * `{"at": "…", "text": "…"}` or `{"offset_ms": 12500, "text": "…"}`; `#` opens a remark. Marks come sorted. What cannot
 * be read is told apart from them, since a run that is over must not be lost for it.
 */
export function readMarks(lines: string, zeroAtMs: number): { marks: Mark[]; problems: string[] } {
  const marks: Mark[] = [];
  const problems: string[] = [];
  for (const [index, raw] of lines.split('\n').entries()) {
    if (raw.trim() === '' || raw.trim().startsWith('#')) continue;
    const parsed = line.safeParse(plain.exec(raw.trim())?.groups ?? jsonOf(raw));
    if (!parsed.success) problems.push(`line ${index + 1} is neither TIME and text nor {"at", "text"}`);
    else if ('offset_ms' in parsed.data) marks.push({ atMs: parsed.data.offset_ms, text: parsed.data.text });
    else marks.push({ atMs: Date.parse(parsed.data.at) - zeroAtMs, text: parsed.data.text });
  }
  return { marks: marks.sort((a, b) => a.atMs - b.atMs), problems };
}

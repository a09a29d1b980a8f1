import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const script = `wrk.method = 'POST'
wrk.body = '{"query":"What is a lease?"}'
wrk.headers['content-type'] = 'application/json'
`;

export interface WrkFigures {
  p50Ms: number;
  p99Ms: number;
  perSecond: number;
}

/** The same load by wrk. Null: it is not installed. */
export async function loadByWrk(options: {
  url: string;
  connections: number;
  seconds: number;
}): Promise<WrkFigures | null> {
  const folder = await mkdtemp(join(tmpdir(), 'vortex-wrk-'));
  try {
    const file = join(folder, 'post.lua');
    await writeFile(file, script);
    const { url, connections, seconds } = options;
    const words = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', file, `${url}/query`];
    const { stdout } = await run('wrk', words);
    return readWrk(stdout);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export function readWrk(text: string): WrkFigures {
  return { p50Ms: percentile(50), p99Ms: percentile(99), perSecond: number(/Requests\/sec:\s+([\d.]+)/) };

  function percentile(percent: number): number {
    const match = new RegExp(`\\s${percent}%\\s+([\\d.]+)(us|ms|s)\\b`).exec(text);
    const factor = { us: 0.001, ms: 1, s: 1000 }[match?.[2] as 'us' | 'ms' | 's'];
    if (match === null || factor === undefined)
      throw new Error(`wrk said nothing of its ${percent}th percentile`);
    return Number(match[1]) * factor;
  }

  function number(pattern: RegExp): number {
    const match = pattern.exec(text);
    if (match === null) throw new Error('wrk gave no rate');
    return Number(match[1]);
  }
}

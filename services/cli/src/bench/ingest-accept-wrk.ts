import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LoadOrder, LoadResult } from './ingest-accept-load.ts';

const run = promisify(execFile);

export async function isWrkThere(): Promise<boolean> {
  // wrk --version prints it and exits with 1.
  return run('wrk', ['--version']).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}

/** The same order by wrk: one thread, a Lua script that walks through the bodies and counts what is no 202. */
export async function driveByWrk(order: LoadOrder, folder: string): Promise<LoadResult> {
  const script = join(folder, 'bodies.lua');
  await writeFile(script, scriptOf(order));
  const { stdout } = await run('wrk', [
    '-t1',
    `-c${order.connections}`,
    `-d${Math.max(1, Math.round(order.seconds))}s`,
    '-s',
    script,
    `http://127.0.0.1:${order.port}/ingest`,
  ]);
  return readWrk(stdout);
}

function scriptOf({ bodies, key }: LoadOrder): string {
  const authorization = key === undefined ? '' : `wrk.headers['Authorization'] = 'Bearer ${key}'`;
  const texts = bodies.map((body) => {
    // A long bracket of a level that the body cannot contain.
    const level = '='.repeat(8);
    return `[${level}[${body}]${level}]`;
  });
  return `
local bodies = { ${texts.join(',\n')} }
place, others = 0, 0
wrk.method = 'POST'
wrk.headers['Content-Type'] = 'application/json'
${authorization}
local threads = {}
function setup(thread) table.insert(threads, thread) end
function request()
  place = place % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[place])
end
function response(status)
  if status ~= 202 then others = others + 1 end
end
function done(summary, latency)
  local errors = summary.errors
  local refused = 0
  for _, thread in ipairs(threads) do refused = refused + thread:get('others') end
  io.write(string.format('VORTEX {"requests":%d,"refused":%d,"broken":%d,"us":%d,"p50":%d,"p99":%d}\\n',
    summary.requests, refused, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99)))
end
`;
}

export function readWrk(output: string): LoadResult {
  const line = /^VORTEX (\{.*\})$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk said something unexpected:\n${output}`);
  const said = JSON.parse(line) as Record<'requests' | 'refused' | 'broken' | 'us' | 'p50' | 'p99', number>;
  return {
    accepted: said.requests - said.refused,
    others: {
      ...(said.refused > 0 && { 'not 202': said.refused }),
      ...(said.broken > 0 && { broken: said.broken }),
    },
    elapsedMs: said.us / 1000,
    p50Ms: said.p50 / 1000,
    p99Ms: said.p99 / 1000,
  };
}

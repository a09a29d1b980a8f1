import { get } from 'node:http';
import { redisAnswers } from '../redis/ask-redis.ts';

/** How a process shows that it does its work: `GET` answers 200, or Redis answers PING. */
export type ReadinessProbe = { kind: 'http'; url: string } | { kind: 'redis'; url: string };

export interface ProbeResult {
  ready: boolean;
  /** Why not, in its own words where it gave some. */
  reasons: string[];
}

const probeTimeoutMs = 2000;

export async function askReadiness(probe: ReadinessProbe): Promise<ProbeResult> {
  if (probe.kind === 'redis') {
    const ready = await redisAnswers(probe.url);
    return { ready, reasons: ready ? [] : ['does not answer PING'] };
  }
  return askHttp(probe.url);
}

/** `node:http` and not fetch: the supervisor lives as long as the instance, fetch costs it 15 MB. */
function askHttp(url: string): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const failed = (reason: string) => resolve({ ready: false, reasons: [reason] });
    const request = get(url, { agent: false, timeout: probeTimeoutMs }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        body += piece;
      });
      response.on('end', () => resolve({ ready: response.statusCode === 200, reasons: reasonsIn(body) }));
      response.on('error', () => failed('broke off its answer'));
    });
    request.on('timeout', () => request.destroy(new Error(`no answer in ${probeTimeoutMs} ms`)));
    request.on('error', (error: NodeJS.ErrnoException) =>
      failed(error.code === 'ECONNREFUSED' ? 'does not listen yet' : error.message),
    );
  });
}

function reasonsIn(body: string): string[] {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null || !('reasons' in parsed)) return [];
    return Array.isArray(parsed.reasons) ? parsed.reasons.map(String) : [];
  } catch {
    return [];
  }
}

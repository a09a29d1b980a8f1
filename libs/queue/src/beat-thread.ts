import { parentPort, workerData } from 'node:worker_threads';
import type { BeatOrder, BeatReport, BeatThreadData } from './beat.ts';
import { connect } from './connect.ts';
import { type Reply, runScript } from './scripts.ts';

/**
 * The heartbeat of a worker process, in a thread of its own: a main loop that computes for seconds keeps
 * its lease, one that hangs loses it. The main loop writes the time into shared memory four times a
 * second; when that mark is older than `stuckMs` no beat is sent, and the reaper gives the work to others.
 *
 * States: beating ⇄ withholding (main loop stuck) → stopped.
 */
const data = workerData as BeatThreadData;
const port = parentPort;
if (port === null) throw new Error('beat-thread.ts runs as a worker thread; start it through startBeat');
const marks = new BigInt64Array(data.shared);
const redis = connect(data.redis, 'beat');
let state = data.state;
let withholding = false;
let timer: NodeJS.Timeout | undefined;
let sending = false;

function report(message: BeatReport): void {
  port?.postMessage(message);
}

async function beat(): Promise<void> {
  clearTimeout(timer);
  if (sending) return;
  sending = true;
  let nextMs = data.beatMs;
  const sentAt = process.hrtime.bigint();
  const stuckForMs = Number(sentAt - Atomics.load(marks, 0)) / 1e6;
  try {
    if (stuckForMs > data.stuckMs) {
      if (!withholding) report({ kind: 'stuck', forMs: stuckForMs });
      withholding = true;
    } else {
      withholding = false;
      const redisMs = Number(await send());
      // Half of the round trip is taken for the way there.
      const answeredAt = sentAt + (process.hrtime.bigint() - sentAt) / 2n;
      if (redisMs > 0) Atomics.store(marks, 2, BigInt(redisMs) * 1_000_000n - answeredAt);
      Atomics.store(marks, 1, sentAt);
      report({ kind: 'accepted' });
    }
  } catch (error) {
    nextMs = Math.min(500, data.beatMs);
    report({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  }
  sending = false;
  timer = setTimeout(beat, nextMs);
}

/** Redis' time in milliseconds. */
async function send(): Promise<Reply> {
  const members = JSON.stringify(data.members);
  const replica = data.replica;
  if (replica === undefined) {
    return runScript(redis, 'beat', data.keys, [data.leaseMs, members]);
  }
  const { url, workerName, slots, list } = replica;
  return runScript(redis, 'beat', data.keys, [data.leaseMs, members, url, workerName, slots, state, list]);
}

redis.on('ready', () => void beat());
port.on('message', (order: BeatOrder) => {
  if (order.kind === 'draining') {
    state = 'draining';
    void beat();
    return;
  }
  clearTimeout(timer);
  redis.disconnect();
  port.close();
});
timer = setTimeout(beat, data.beatMs);

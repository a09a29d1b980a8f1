import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface FixedLatencyServer {
  url: string;
  /** As if its machine stood still. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

export async function startFixedLatencyServer(latencyMs: number): Promise<FixedLatencyServer> {
  const script = join(import.meta.dirname, `fixed-latency-server${import.meta.filename.slice(-3)}`);
  const child = fork(script, [String(latencyMs)], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  if (child.stdout === null) throw new Error('unreachable: its output is a pipe');
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    url: `http://127.0.0.1:${Number(first)}`,
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ReadReply, ReadTask } from './document-process.ts';

/** One child: what it says, and how it ended. It knows nothing of limits; process-reader.ts decides about it. */
export interface ReaderChild {
  readonly pid: number | undefined;
  /** Settles when the tokenizer has been read, or the child has ended before. */
  readonly ready: Promise<void>;
  /** Resolves with the reason once nothing of the child runs any more. */
  readonly ended: Promise<ChildEnd>;
  send(task: ReadTask): void;
  kill(): void;
}

export interface ChildEnd {
  reason: string;
  /** V8 gave up because its heap was full. */
  outOfMemory: boolean;
}

const isSource = import.meta.url.endsWith('.ts');
const childFile = fileURLToPath(
  new URL(isSource ? './document-process.ts' : './document-process.js', import.meta.url),
);
const keptErrorCharacters = 4000;

export function startReaderChild(options: {
  model: string;
  modelsDir: string;
  maxHeapMegabytes: number;
  onReply: (reply: Exclude<ReadReply, { kind: 'ready' }>) => void;
}): ReaderChild {
  const forked: ChildProcess = fork(childFile, [options.model, options.modelsDir], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // No secret of the service is within reach of what parses other people's files.
    env: { PATH: process.env.PATH, TZ: process.env.TZ, LANG: process.env.LANG },
    execArgv: [
      `--max-old-space-size=${options.maxHeapMegabytes}`,
      '--no-warnings',
      // Given here, because a test runner has no such flag to inherit.
      ...(isSource ? ['--conditions=vortex-source'] : []),
    ],
  });
  let errors = '';
  forked.stderr?.on('data', (data: Buffer) => {
    errors = (errors + data.toString()).slice(-keptErrorCharacters);
  });
  let resolveReady = () => {};
  let rejectReady = (_: Error) => {};
  const ready = new Promise<void>((resolve, reject) => {
    resolveReady = resolve;
    rejectReady = reject;
  });
  // Whoever waits sees the rejection; a child that nobody waits for may end unheard.
  ready.catch(() => undefined);
  forked.on('message', (reply: ReadReply) => {
    if (reply.kind === 'ready') resolveReady();
    else options.onReply(reply);
  });
  // Sending to a child that has just died; its exit tells the same and more.
  forked.on('error', () => undefined);
  const ended = new Promise<ChildEnd>((resolve) => {
    forked.once('close', (code, signal) => {
      const reason = /^.*(?:FATAL ERROR|Error): .*$/m.exec(errors)?.[0] ?? `code ${code ?? signal}`;
      rejectReady(new Error(`the reading process ended: ${reason}`));
      resolve({ reason, outOfMemory: /heap out of memory|Array buffer allocation failed/i.test(errors) });
    });
  });
  return {
    pid: forked.pid,
    ready,
    ended,
    send: (task) => forked.send(task),
    kill: () => forked.kill('SIGKILL'),
  };
}

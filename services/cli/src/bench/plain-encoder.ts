import { fork } from 'node:child_process';
import { once } from 'node:events';

/**
 * The encoder as one would write it without us: a transformers.js pipeline with its own settings, asked
 * one question after another. It is the bare encoder of `bench query` (the prototype that set the bound of
 * 0.45 was measured against it: 210 to 227 questions a second). In a process of its own, which is gone
 * before the next measurement starts.
 */
export interface PlainEncoderRate {
  queriesPerSecond: number;
  /** Median time of one question. */
  oneAtATimeMs: number;
}

export interface PlainEncoderRequest {
  modelsDir: string;
  model: string;
  texts: readonly string[];
  seconds: number;
}

const processFile = new URL(
  import.meta.url.endsWith('.ts') ? './plain-encoder-process.ts' : './plain-encoder-process.js',
  import.meta.url,
);

/** @throws when the process ends without an answer; what it complained of stands on standard error. */
export async function measurePlainEncoder(request: PlainEncoderRequest): Promise<PlainEncoderRate> {
  const child = fork(processFile, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  child.send(request);
  const answer = await Promise.race([
    once(child, 'message').then(([rate]) => rate as PlainEncoderRate),
    ended.then(([code]) => {
      throw new Error(`the plain encoder ended with code ${code}`);
    }),
  ]);
  await ended;
  return answer;
}

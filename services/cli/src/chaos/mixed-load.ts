import { setTimeout as delay } from 'node:timers/promises';

/**
 * Clients of a whole instance that ask, search, stream and upload, so many at once, until they are told to stop.
 * Each is as patient as a person's program: a 503 or 504 is waited out, and a connection that broke is taken for
 * no answer, so the same request is sent again (an upload under the same idempotency key).
 */
export interface MixedLoad {
  /** No new requests; resolves when the last has its answer and every accepted document its end. */
  finish(): Promise<MixedOutcome>;
  answered(): number;
}

export interface MixedOutcome {
  /** Requests by what came of the last try. */
  answered: number;
  /** Tries that were answered 503 or 504, as a problem with a code. */
  refused: number;
  /** Tries whose connection broke or that found nobody listening. */
  broken: number;
  /** Requests that were answered 502 because the language model did not answer, tries included. */
  modelFailed: number;
  /** Streams that ended with such an error after the model had begun to speak: a part was seen, so nobody may begin anew. */
  cutStreams: number;
  /** Any other answer, in words; there must be none. */
  wrong: string[];
  /** Requests that never got an answer. */
  unanswered: string[];
  uploads: number;
  /** Accepted documents whose job did not complete, in words. */
  unfinished: string[];
  latenciesMs: number[];
}

export interface MixedLoadOptions {
  url: string;
  clients: number;
  /** Gives up on a request after this long; its answer is then missing. */
  patienceMs?: number;
  kinds?: readonly Kind[];
}

export type Kind = 'query' | 'stream' | 'search' | 'upload';
const mixed: readonly Kind[] = ['query', 'query', 'query', 'stream', 'search', 'upload'];

export function startMixedLoad(options: MixedLoadOptions): MixedLoad {
  const { url, clients, patienceMs = 120_000, kinds = mixed } = options;
  const outcome: MixedOutcome = {
    answered: 0,
    refused: 0,
    broken: 0,
    modelFailed: 0,
    cutStreams: 0,
    wrong: [],
    unanswered: [],
    uploads: 0,
    unfinished: [],
    latenciesMs: [],
  };
  const jobs: string[] = [];
  let stopping = false;
  let number = 0;

  async function client(): Promise<void> {
    while (!stopping) {
      number += 1;
      const kind = kinds[number % kinds.length] ?? 'query';
      await request(kind, number);
    }
  }

  async function request(kind: Kind, own: number): Promise<void> {
    const begun = performance.now();
    const made = make(kind, own);
    while (performance.now() - begun < patienceMs) {
      const told = await once(made);
      if (told.kind === 'answered') {
        outcome.answered += 1;
        outcome.latenciesMs.push(performance.now() - begun);
        if (kind === 'upload') {
          outcome.uploads += 1;
          const job = (JSON.parse(told.text) as { job_id: string | null }).job_id;
          if (job !== null) jobs.push(job);
        }
        return;
      }
      if (told.kind === 'modelFailed' || told.kind === 'cutStreams') {
        outcome[told.kind] += 1;
        return;
      }
      if (told.kind === 'wrong') {
        outcome.wrong.push(`${kind} ${own}: ${told.text.slice(0, 200)}`);
        return;
      }
      outcome[told.kind] += 1;
      await delay(250 + Math.random() * 250);
    }
    outcome.unanswered.push(`${kind} ${own}`);
  }

  function make(kind: Kind, own: number): { path: string; init: RequestInit } {
    const query = `What does stage number ${own} of the pipeline do?`;
    const json = (body: object) => ({
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    });
    switch (kind) {
      case 'query':
        return { path: '/query', init: json({ query, cache: 'bypass' }) };
      case 'stream':
        return { path: '/query', init: json({ query, cache: 'bypass', stream: true }) };
      case 'search':
        return { path: '/search', init: json({ query, cache: 'bypass' }) };
      case 'upload': {
        const form = new FormData();
        form.set('collection', 'chaos');
        form.append('file', new Blob([documentText(own)]), `chaos-${own}.txt`);
        return {
          path: '/api/documents/upload',
          init: { method: 'POST', body: form, headers: { 'idempotency-key': `chaos-${process.pid}-${own}` } },
        };
      }
    }
  }

  async function once({ path, init }: { path: string; init: RequestInit }): Promise<Told> {
    try {
      const signal = AbortSignal.timeout(patienceMs);
      const reply = await fetch(`${url}${path}`, { ...init, signal });
      return judge(reply.status, reply.headers.get('content-type') ?? '', await reply.text());
    } catch {
      return { kind: 'broken', text: '' };
    }
  }

  const running = Array.from({ length: clients }, client);

  async function finish(): Promise<MixedOutcome> {
    stopping = true;
    await Promise.all(running);
    for (const job of jobs) {
      const end = await jobEnd(url, job);
      if (end !== 'completed') outcome.unfinished.push(`${job}: ${end}`);
    }
    return outcome;
  }

  return { finish, answered: () => outcome.answered };
}

interface Told {
  kind: 'answered' | 'refused' | 'broken' | 'modelFailed' | 'cutStreams' | 'wrong';
  text: string;
}

function judge(status: number, type: string, text: string): Told {
  if (type.includes('text/event-stream')) return judgeStream(text);
  if (status === 200 || status === 202) return { kind: 'answered', text };
  const isProblem = type.includes('application/problem+json');
  return { kind: isProblem ? kindOfProblem(status, text) : 'wrong', text: `${status} ${text}` };
}

function kindOfProblem(status: number, text: string): Told['kind'] {
  if (status === 503 || status === 504) return 'refused';
  return status === 502 && text.includes('/problems/generator-failed') ? 'modelFailed' : 'wrong';
}

/** The status of a stream is said before anything can go wrong; its last event is the answer. */
function judgeStream(text: string): Told {
  const events = text.split('\n\n').filter((event) => event.includes('event:'));
  const last = events.at(-1) ?? '';
  if (/event: ?done/.test(last)) return { kind: 'answered', text };
  if (/event: ?error/.test(last)) {
    const status = Number(/"status": ?(\d+)/.exec(last)?.[1]);
    const kind = kindOfProblem(status, last);
    const hasBegun = /event: ?delta/.test(text);
    return { kind: kind === 'modelFailed' && hasBegun ? 'cutStreams' : kind, text: last };
  }
  return { kind: 'broken', text: last };
}

const endWithinMs = 180_000;

async function jobEnd(url: string, id: string): Promise<string> {
  const begun = performance.now();
  let last = 'never answered';
  while (performance.now() - begun < endWithinMs) {
    try {
      const reply = await fetch(`${url}/api/jobs/${id}?wait=5s`);
      const body = (await reply.json()) as { status: string; error?: { code?: string } | string | null };
      last = `${body.status} ${JSON.stringify(body.error ?? null)}`;
      if (body.status === 'completed') return 'completed';
      if (body.status === 'failed' || body.status === 'cancelled') return last;
    } catch {
      last = 'no connection';
    }
    await delay(200);
  }
  return last;
}

function documentText(own: number): string {
  return Array.from(
    { length: 12 },
    (_, line) => `Unit ${own} has a valve number ${line}, which was last measured at ${own * 7 + line} bar.`,
  ).join('\n');
}

import { StageFailure, stages } from '@vortex/contracts';
import { keys } from '@vortex/queue';
import { until } from '@vortex/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ReaderBusy } from '../src/document-reader.ts';
import { gate, groupSize, type IngestBench, openIngestBench, sentences, tenant } from './ingest-bench.ts';

// One piece: one life, from the upload to each of its ends.

/** The life of an upload's job: what it says on the way, how it is ended, what a fault costs. */
let bench: IngestBench;
beforeEach(async () => {
  bench = await openIngestBench();
});
afterEach(() => bench.close());

const events = async (id: string) => bench.registry.jobEvents((await bench.job(id)).tenant, id, 0);

describe('what is said on the way', () => {
  it('every commit, in order, never back, and 100 only with the document', async () => {
    await bench.startWorker();
    const id = await bench.upload({ name: 'a.md', content: `# A\n\n${sentences(60)}` });
    const job = await bench.ended(id);
    const chunks = Number(job.result?.chunk_count);
    const said = await events(id);
    expect(said.map((event) => event.sequence)).toEqual(said.map((_, place) => place + 1));
    const progress = said.map((event) => event.progress);
    expect(progress).toEqual([...progress].sort((one, other) => one - other));
    expect(said.filter((event) => event.progress === 100)).toMatchObject([{ status: 'completed' }]);
    const messages = said.map((event) => event.message);
    expect(messages).toContain(`Embedding ${groupSize} of ${chunks} chunks`);
    // Every group but the last, which the publication follows.
    const commits = messages.filter((message) => message?.startsWith('Embedding')).length;
    expect(commits).toBeGreaterThanOrEqual(Math.ceil(chunks / groupSize) - 2);
    expect(messages.at(-1)).toBe(`Ready: ${chunks} chunks`);
  });

  it('the same in the live view, and a job ends also while nobody shows it', async () => {
    await bench.startWorker();
    const held = gate();
    bench.hooks.beforeEmbed = ({ chunks }) =>
      (chunks[0]?.ordinal ?? 0) < groupSize * 2 ? Promise.resolve() : held.pass();
    const id = await bench.upload({ name: 'a.txt', content: sentences(60) });
    const shown = await until('two groups are shown', async () => {
      const hash = await bench.redis.client.hgetall(keys.job(id));
      return hash.message?.startsWith(`Embedding ${groupSize * 2} of`) ? hash : null;
    });
    expect(shown).toMatchObject({ status: 'processing', stage: 'embed', type: 'document_upload' });
    const { progress } = await bench.job(id);
    expect(Number(shown.progress)).toBe(progress);
    expect(progress).toBeGreaterThan(15);
    expect(Number(shown.eta_ms)).toBeGreaterThan(0);
    await bench.redis.client.del(keys.job(id));
    held.open();
    expect(await bench.ended(id)).toMatchObject({ status: 'completed', progress: 100 });
  });

  it('a running job is touched though nothing is committed, so that no sweeper takes it for lost', async () => {
    await bench.startWorker({ sweepMs: 50 });
    const held = gate();
    bench.hooks.beforeRead = () => held.pass();
    const id = await bench.upload({ name: 'a.txt', content: sentences(3) });
    await until('it is being read', () => held.arrived() > 0);
    const { updatedAt } = await bench.job(id);
    const before = (await events(id)).length;
    await until('it has been touched', async () => (await bench.job(id)).updatedAt > updatedAt);
    // A touch is no news: watchers see nothing.
    expect((await events(id)).length).toBeLessThanOrEqual(before + 1);
    held.open();
    await bench.ended(id);
  });
});

describe('cancellation', () => {
  const cancel = async (id: string) => {
    expect(await bench.registry.cancelJob(tenant, id)).toBe('cancelling');
    await bench.submitter.cancel(id);
  };
  const nothingLeft = async (id: string) => {
    await until('the registry has given the version up', async () => {
      const { documentId, version } = await bench.job(id);
      return (await bench.registry.versionState(tenant, documentId, version)) !== 'building';
    });
    await until(
      'the worker has let go',
      async () => (await bench.redis.client.zcard(keys.live('low'))) === 0,
    );
    expect(await bench.job(id)).toMatchObject({ cancelRequested: true, completedAt: null });
    await bench.purge();
    expect(await bench.job(id)).toMatchObject({ status: 'cancelled' });
    expect(bench.rows.size).toBe(0);
  };

  it('during the parsing: the parser is stopped, nothing of it is left', async () => {
    const worker = await bench.startWorker();
    let began = false;
    let stopped = false;
    bench.hooks.beforeRead = (signal) =>
      new Promise((_resolve, reject) => {
        began = true;
        signal.addEventListener('abort', () => {
          stopped = true;
          reject(signal.reason);
        });
      });
    const id = await bench.upload({ name: 'a.txt', content: sentences(60) });
    await until('it is being read', () => began);
    await cancel(id);
    await until('the parser has been stopped', () => stopped);
    await nothingLeft(id);
    expect(bench.embedded).toEqual([]);
    await worker.stop();
    await bench.startWorker();
    await until('the next worker has tidied up', async () => (await bench.spooled()).length === 0);
  });

  it('during the embedding: no further group is sent, what was stored is gone before it says `cancelled`', async () => {
    await bench.startWorker();
    const held = gate();
    bench.hooks.beforeEmbed = ({ chunks }) =>
      (chunks[0]?.ordinal ?? 0) < groupSize * 3 ? Promise.resolve() : held.pass();
    const id = await bench.upload({ name: 'a.txt', content: sentences(120) });
    await until('three groups are stored', () => bench.rows.size === groupSize * 3);
    await until('others are in the encoder', () => held.arrived() > 0);
    await cancel(id);
    const sent = bench.embedded.length;
    held.open();
    await until(
      'the groups in the encoder are through',
      () => bench.embedded.length === sent + held.arrived() * groupSize,
    );
    await nothingLeft(id);
    expect(held.arrived()).toBeLessThanOrEqual(2);
    expect(await bench.registry.getDocument(tenant, (await bench.job(id)).documentId)).toMatchObject({
      state: 'failed',
    });
  });

  it('noticed at the next group when the message in Redis is lost', async () => {
    await bench.startWorker();
    const held = gate();
    bench.hooks.beforeEmbed = () => held.pass();
    const id = await bench.upload({ name: 'a.txt', content: sentences(120) });
    await until('a group is in the encoder', () => held.arrived() > 0);
    await bench.registry.cancelJob(tenant, id);
    held.open();
    await nothingLeft(id);
    expect(bench.embedded.length).toBeLessThanOrEqual(groupSize * 2);
  });

  it('before it has begun: it never begins', async () => {
    const id = await bench.upload({ name: 'a.txt', content: sentences(10) });
    await cancel(id);
    await bench.startWorker();
    await nothingLeft(id);
    expect(bench.parsed()).toEqual([]);
    expect((await bench.job(id)).startedAt).toBeNull();
  });

  it('asked for in Redis alone ends the registry’s job too', async () => {
    await bench.startWorker();
    const held = gate();
    bench.hooks.beforeEmbed = () => held.pass();
    const id = await bench.upload({ name: 'a.txt', content: sentences(40) });
    await until('a group is in the encoder', () => held.arrived() > 0);
    await bench.submitter.cancel(id);
    held.open();
    await nothingLeft(id);
  });
});

describe('tries', () => {
  it('an encoder that fails once costs a retry, not the document; a new try begins at 0, reads nothing again and sends what is missing', async () => {
    await bench.startWorker();
    let failures = 0;
    bench.hooks.beforeEmbed = async ({ chunks }) => {
      if (chunks[0]?.ordinal !== groupSize * 2) return;
      failures += 1;
      // The group's own five tries, and then it is the document's turn.
      if (failures <= 5) throw new Error('out of memory, for a moment');
    };
    const id = await bench.upload({ name: 'a.txt', content: sentences(60) });
    const job = await bench.ended(id);
    expect(job).toMatchObject({ status: 'completed', retryCount: 1 });
    expect(bench.parsed()).toHaveLength(1);
    expect(bench.rowsOf(job.documentId, job.version)).toHaveLength(Number(job.result?.chunk_count));
    expect(new Set(bench.embedded).size).toBe(bench.embedded.length);
    const said = await events(id);
    const retried = said.findIndex((event) => event.status === 'retrying');
    expect(said[retried]).toMatchObject({ progress: 0, errorCode: 'attempts_exhausted' });
    for (const part of [said.slice(0, retried), said.slice(retried)]) {
      const progress = part.map((event) => event.progress);
      expect(progress).toEqual([...progress].sort((one, other) => one - other));
    }
    expect(said[retried - 1]?.progress).toBeGreaterThan(15);
  });

  it('a reader that is busy with long documents costs no try, and the job keeps no slot meanwhile', async () => {
    await bench.startWorker();
    let busy = true;
    bench.hooks.beforeRead = async () => {
      if (busy) throw new ReaderBusy();
    };
    const id = await bench.upload({ name: 'a.txt', content: sentences(60) });
    const retry = keys.retry(stages.upload.list);
    await until('it is put off', async () => (await bench.redis.client.zcard(retry)) === 1);
    expect((await bench.redis.client.keys('*:proc:*')).length).toBe(0);
    busy = false;
    await bench.redis.client.zadd(retry, 'XX', 1, id);
    expect(await bench.ended(id)).toMatchObject({ status: 'completed', retryCount: 0, errorCode: null });
  });

  it('one that fails on every try ends the job: as many tries as it has', async () => {
    await bench.startWorker();
    let tries = 0;
    bench.hooks.beforeRead = async () => {
      tries += 1;
      throw new Error('the disk is full');
    };
    const id = await bench.upload({ name: 'a.txt', content: sentences(3), maxRetries: 2 });
    expect(await bench.ended(id)).toMatchObject({
      status: 'failed',
      errorCode: 'attempts_exhausted',
      error: 'gave up after 3 tries: the disk is full',
      retryCount: 2,
    });
    expect(tries).toBe(3);
  });

  it('a document that has killed its worker three times is poison, and is not run again', async () => {
    const id = await bench.upload({ name: 'a.txt', content: sentences(3) });
    // Three workers claimed it and were never heard of again.
    for (let delivery = 0; delivery < 3; delivery += 1) await bench.registry.claimJob(id);
    const other = await bench.upload({ name: 'b.txt', content: sentences(3) });
    await bench.startWorker();
    expect(await bench.ended(id)).toMatchObject({ status: 'failed', errorCode: 'poison' });
    expect(await bench.ended(other)).toMatchObject({ status: 'completed' });
    expect(bench.parsed()).toHaveLength(1);
  });

  it('a group that has lost three encoders costs a try, twice; the third time it is believed', async () => {
    const deaths = new Map<string, number>();
    bench.hooks.beforeEmbed = async ({ document_id }) => {
      const before = deaths.get(document_id) ?? 0;
      deaths.set(document_id, before + 1);
      if (document_id === deadly.documentId || before < 2)
        throw new StageFailure('poison', 'its worker died or froze on each of 3 deliveries', {
          mayRetry: false,
        });
    };
    const deadly = await bench.job(await bench.upload({ name: 'deadly.txt', content: sentences(3) }));
    const otherId = await bench.upload({ name: 'other.txt', content: sentences(3) });
    await bench.startWorker();
    expect(await bench.ended(deadly.id)).toMatchObject({
      status: 'failed',
      errorCode: 'poison',
      retryCount: 2,
    });
    expect(await bench.ended(otherId)).toMatchObject({ status: 'completed', retryCount: 2 });
  });

  it('deaths after a commit do not add up', async () => {
    const id = await bench.upload({ name: 'a.txt', content: sentences(3) });
    for (let delivery = 0; delivery < 3; delivery += 1) {
      await bench.registry.claimJob(id);
      const progress = {
        stage: 'embed',
        progress: 20 + delivery,
        message: 'Embedding',
        etaMs: null,
      } as const;
      await bench.registry.noteProgress(id, { ...progress, committed: true });
    }
    await bench.startWorker();
    expect(await bench.ended(id)).toMatchObject({ status: 'completed' });
  });
});

describe('takeover', () => {
  it('a worker that takes over parses nothing again and sends only the groups that are missing', async () => {
    const first = await bench.startWorker();
    const held = gate();
    let open = 3;
    bench.hooks.beforeEmbed = async () => {
      open -= 1;
      if (open < 0) await held.pass();
    };
    const id = await bench.upload({ name: 'a.txt', content: sentences(120) });
    const { documentId, version } = await bench.job(id);
    await until(
      'three groups are noted',
      async () => (await bench.registry.storedGroups(tenant, documentId, version)).length === 3,
    );
    const doneBefore = new Set(bench.embedded);
    const saidBefore = (await bench.job(id)).progress;
    await first.stop();
    expect(await bench.job(id)).toMatchObject({ status: 'queued', deliveries: 0, retryCount: 0 });
    await bench.startWorker();
    held.open();
    const job = await bench.ended(id);
    expect(job).toMatchObject({ status: 'completed', version, retryCount: 0 });
    expect(bench.parsed()).toHaveLength(1);
    expect(bench.embedded.filter((place) => doneBefore.has(place))).toHaveLength(doneBefore.size);
    expect(bench.rowsOf(documentId, version)).toHaveLength(Number(job.result?.chunk_count));
    // The same try goes on, so nothing goes back.
    const progress = (await events(id)).map((event) => event.progress);
    expect(progress).toEqual([...progress].sort((one, other) => one - other));
    expect(progress).toContain(saidBefore);
  });
});

describe('turns', () => {
  it('a small document of another tenant is not kept waiting by a large one', async () => {
    await bench.startWorker({ places: 1 });
    const held = gate();
    bench.hooks.beforeEmbed = () => held.pass();
    const large = await bench.upload({ name: 'large.txt', content: sentences(400), tenant: 'acme' });
    await until('a group of the large one is in the encoder', () => held.arrived() > 0);
    const small = await bench.upload({ name: 'small.txt', content: sentences(20), tenant: 'zen' });
    await until('the small one waits for its turn', async () => (await bench.job(small)).stage === 'embed');
    held.open();
    const [ofLarge, ofSmall] = await Promise.all([bench.ended(large), bench.ended(small)]);
    expect(ofSmall.completedAt).toBeLessThan(Number(ofLarge.completedAt));
    const owners = bench.embedded.map((place) => place.startsWith(ofSmall.documentId));
    const groups = Math.ceil(Number(ofSmall.result?.chunk_count) / groupSize);
    // One turn each: the small one is through after about as many groups of the large one.
    expect(owners.lastIndexOf(true)).toBeLessThan((2 * groups + 2) * groupSize);
  });
});

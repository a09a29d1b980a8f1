import {
  type DeadLetterPage,
  deadLetter,
  deadLetterPage,
  deadLettersRedriven,
  type Problem,
  redriven,
} from '@vortex/contracts';
import { QueueUnavailable } from '@vortex/queue';
import { describe, expect, it } from 'vitest';
import { gatewayUnderTest } from './gateway-under-test.ts';

// One piece: all routes work on the same letters.

const question = (id: string, more: object = {}) => JSON.stringify({ id, query: 'why?', ...more });
const minute = 60_000;

async function underTest(settings: Parameters<typeof gatewayUnderTest>[0] = {}) {
  const gateway = await gatewayUnderTest(settings);
  const { app } = gateway;
  const call = async (path: string, method = 'GET') => {
    const response = await app.request(`/api/dead-letters${path}`, { method });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  };
  const page = async (query: string): Promise<DeadLetterPage> =>
    deadLetterPage.parse((await call(query)).body);
  const redriveMany = async (body: object) =>
    deadLettersRedriven.parse(await (await gateway.post('/api/dead-letters/redrive', body)).json());
  return { ...gateway, call, page, redriveMany };
}

describe('GET /api/dead-letters', () => {
  it('lists all queues as one, newest first, in pages that neither repeat nor forget', async () => {
    const { deadLetters, page } = await underTest();
    const ids: string[] = [];
    for (let at = 0; at < 25; at += 1) {
      // Three of each time, over two queues.
      const last_at = 1_700_000_000_000 + Math.floor(at / 3);
      ids.push(deadLetters.bury(at % 2 === 0 ? 'encode' : 'retrieve', question(`${at}`), { last_at }));
    }
    const seen: string[] = [];
    let query = '?limit=4';
    for (;;) {
      const { dead_letters, next } = await page(query);
      seen.push(...dead_letters.map(({ id }) => id));
      if (next === null) break;
      expect(dead_letters.length).toBeLessThanOrEqual(4);
      query = `?limit=4&after=${next}`;
    }
    expect(seen.toSorted()).toEqual(ids.toSorted());
    const times = (await page('?limit=1000')).dead_letters.map(({ last_at }) => last_at ?? '');
    expect(times).toEqual(times.toSorted().reverse());
  });

  it('goes on where it was when the letter of the cursor is gone', async () => {
    const { deadLetters, page, call } = await underTest();
    for (let at = 0; at < 6; at += 1) deadLetters.bury('encode', question(`${at}`));
    const first = await page('?limit=2');
    await call(`/${first.dead_letters[1]?.id}`, 'DELETE');
    const second = await page(`?limit=2&after=${first.next}`);
    expect(second.dead_letters.map(({ job_id }) => job_id)).toEqual([null, null]);
    expect((await page('')).dead_letters.slice(1, 3)).toEqual(second.dead_letters);
  });

  it('says queue, stage, job, cause, attempts and both times, of one queue or code', async () => {
    const { deadLetters, page } = await underTest();
    const id = deadLetters.bury('generate', question('q'), {
      ...{ id: 'q', code: 'poison', reason: 'killed it', attempts: 3, queue: 'job:llm_in:llm_1' },
    });
    deadLetters.bury('encode', '{"query":');
    const expected = {
      ...{ id, queue: 'job:llm_in', stage: 'generate', job_id: 'q', code: 'poison', reason: 'killed it' },
      ...{ attempts: 3, bytes: question('q').length },
      first_at: '2020-09-13T12:26:40.000Z',
    };
    for (const query of ['?queue=job:llm_in', '?queue=job:llm_in:llm_1', '?code=poison', '?stage=generate']) {
      expect((await page(query)).dead_letters, query).toMatchObject([expected]);
    }
    expect((await page('?queue=job:encoder_in&stage=generate')).dead_letters).toEqual([]);
  });

  it.each([
    '?queue=job:nobody',
    '?queue=',
    '?limit=0',
    '?limit=x',
    '?after=there',
    '?stage=x',
    '?colour=red',
  ])('refuses %s', async (query) => {
    const { call } = await underTest();
    const { status, body } = await call(query);
    expect([status, body.code]).toEqual([422, 'validation']);
    expect(body.errors).toHaveLength(1);
  });
});

describe('a dead letter', () => {
  it('is shown with its raw bytes', async () => {
    const { deadLetters, call } = await underTest();
    const id = deadLetters.bury('encode', question('q'));
    const shown = deadLetter.parse((await call(`/${id}`)).body);
    expect(shown).toMatchObject({
      ...{ raw: question('q'), encoding: 'utf8', raw_truncated: false, redrivable: true, advice: null },
    });
  });

  it('that no worker wrote is shown, can be dropped and not be redriven', async () => {
    const { deadLetters, call, page } = await underTest();
    for (const forged of ['garbage', '{"queue":"job:llm_in"}', Buffer.from([0xff, 0xfe]), '[]', '']) {
      const id = deadLetters.put('encode', forged);
      const shown = deadLetter.parse((await call(`/${id}`)).body);
      expect(shown).toMatchObject({ code: 'invalid_letter', redrivable: false, last_at: null });
      const refusal = await call(`/${id}/redrive`, 'POST');
      expect([refusal.status, refusal.body.code]).toEqual([422, 'dead_letter_unreadable']);
      expect((await call(`/${id}`, 'DELETE')).status).toBe(204);
    }
    expect((await page('')).dead_letters).toEqual([]);
  });

  it('with forged fields puts its job on no other list than its own, and breaks nothing', async () => {
    const { deadLetters, call, page } = await underTest();
    const id = deadLetters.bury('encode', question('q'), {
      ...{ queue: 'job:llm_in', stage: 'no stage', code: '\ud83d', reason: 'x\ud83d', attempts: -1 },
      ...{ first_at: 9e99, last_at: 8.64e15, id: '\ud83d' },
    });
    expect((await page('?queue=job:encoder_in')).dead_letters).toMatchObject([
      { queue: 'job:encoder_in', code: '\ufffd', attempts: 0, first_at: null },
    ]);
    expect(redriven.parse((await call(`/${id}/redrive`, 'POST')).body)).toMatchObject({
      ...{ queue: 'job:encoder_in', job_id: 'q' },
    });
  });

  it('is redriven from its first try on, with its deadline when that is still to come', async () => {
    const { deadLetters, call } = await underTest();
    const deadline = Date.now() + 10 * minute;
    const header = { attempt: 3, redelivered: 2, first_at: 1, enqueued_at: 1, deadline_at: deadline };
    const replica = { worker_name: 'llm_1', url: 'http://r1' };
    const id = deadLetters.bury('encode', question('q', { ...header, replica, mine: [1] }));
    const { status, body } = await call(`/${id}/redrive`, 'POST');
    expect([status, redriven.parse(body)]).toEqual([
      200,
      {
        ...{ id, queue: 'job:encoder_in', job_id: 'q', deadline_renewed: false },
        ...{ deadline_at: new Date(deadline).toISOString(), status_url: '/api/jobs/q' },
      },
    ]);
    const [order] = deadLetters.redriven;
    expect(JSON.parse(order?.element ?? '')).toEqual({
      ...{ id: 'q', query: 'why?', deadline_at: deadline, mine: [1], track: true },
      enqueued_at: expect.any(Number),
    });
    const again = await call(`/${id}/redrive`, 'POST');
    expect([again.status, again.body.code]).toEqual([404, 'not_found']);
  });

  it('of the class batch goes back behind what somebody waits for, and any replica may take it', async () => {
    const { deadLetters, call } = await underTest({ max_live_queries: 10 });
    const replica = { replica: { worker_name: 'llm_1', url: 'http://r1' }, exclude: ['http://r1'] };
    for (const header of [{}, { class: 'batch' }]) {
      for (const stage of ['encode', 'generate'] as const) {
        const prompt = { collection: 'c', messages: [{ role: 'user', content: 'why?' }], sources: [] };
        const payload = { ...prompt, query: 'why?', ...replica, ...header };
        const id = deadLetters.bury(stage, JSON.stringify({ id: 'q', ...payload }));
        expect((await call(`/${id}/redrive`, 'POST')).status).toBe(200);
      }
    }
    expect(deadLetters.redriven.map(({ list, cap }) => [list, cap])).toEqual([
      ['job:encoder_in', 10],
      ['job:llm_in', 10],
      ['job:encoder_in:batch', 7],
      ['job:llm_in:low', 7],
    ]);
    for (const { element } of deadLetters.redriven) {
      expect(JSON.parse(element)).not.toHaveProperty('exclude');
      expect(JSON.parse(element)).not.toHaveProperty('replica');
    }
  });

  it('whose deadline has passed gets a new one and says so', async () => {
    const { deadLetters, call } = await underTest();
    const id = deadLetters.bury('encode', question('q', { deadline_at: Date.now() - 1 }));
    const { body } = await call(`/${id}/redrive`, 'POST');
    expect(body.deadline_renewed).toBe(true);
    expect(Date.parse(body.deadline_at)).toBeGreaterThan(Date.now() + minute / 2);
    expect(deadLetters.redriven[0]?.deadlineAt).toBe(Date.parse(body.deadline_at));
  });

  it.each([
    ['cut', `{"id":"q","query":"${'x'.repeat(70_000)}"}`, 409, 'dead_letter_not_redrivable', /65536 of the/],
    ['no JSON', '{"id":"q', 422, 'dead_letter_unreadable', /no JSON object/],
    ['no id', '{"query":"why?"}', 422, 'dead_letter_unreadable', /id/],
    ['of another version', question('q', { v: 9 }), 422, 'dead_letter_unreadable', /version 1/],
    ['no text', Buffer.from([0x7b, 0xff]), 422, 'dead_letter_unreadable', /UTF-8/],
    ['without its question', '{"id":"q"}', 422, 'dead_letter_unreadable', /query/],
  ])('that is %s is refused with advice and stays', async (_what, element, status, code, detail) => {
    const { deadLetters, call } = await underTest();
    const id = deadLetters.bury('encode', element);
    const refusal = await call(`/${id}/redrive`, 'POST');
    expect([refusal.status, refusal.body.code]).toEqual([status, code]);
    expect(refusal.body.detail).toMatch(detail);
    expect(refusal.body.detail).toMatch(/DELETE the letter/);
    const shown = deadLetter.parse((await call(`/${id}`)).body);
    expect([shown.redrivable, shown.advice]).toEqual([false, refusal.body.detail]);
  });

  it('whose job has no id is taken back under the one its bytes give it', async () => {
    const { deadLetters, call } = await underTest();
    const id = deadLetters.bury(
      'ingest',
      JSON.stringify({ document_id: 'd', content: 'text', user_id: 'u' }),
    );
    const { body } = await call(`/${id}/redrive`, 'POST');
    expect(body.job_id).toMatch(/^job_[0-9a-f]{32}$/);
    expect(JSON.parse(deadLetters.redriven[0]?.element ?? '')).toMatchObject({
      id: body.job_id,
      track: true,
    });
  });

  it.each([
    ['FULL', 503, 'queue_full'],
    ['GONE', 409, 'dead_letter_gone'],
    ['LIVE', 409, 'dead_letter_not_redrivable'],
  ] as const)('redriven when the queue says %s: %i', async (answer, status, code) => {
    const { deadLetters, call, page } = await underTest();
    const id = deadLetters.bury('encode', question('q'));
    deadLetters.answers = [answer];
    const refusal = await call(`/${id}/redrive`, 'POST');
    expect([refusal.status, refusal.body.code]).toEqual([status, code]);
    expect((await page('')).dead_letters).toHaveLength(1);
  });

  it('cannot be reached while Redis is away: 503', async () => {
    const { deadLetters, call } = await underTest();
    const id = deadLetters.bury('encode', question('q'));
    deadLetters.redrive = () => Promise.reject(new QueueUnavailable('away'));
    expect((await call(`/${id}/redrive`, 'POST')).status).toBe(503);
    deadLetters.find = () => Promise.reject(new QueueUnavailable('away'));
    expect((await call(`/${id}`)).status).toBe(503);
  });

  it.each([
    '/no',
    '/%00',
    '/..%2f..',
    '/dlt_encode_%20',
    '/%ff',
    '/dlt_encode_0',
    '/__proto__',
    '/%F0%9F%92%A5',
  ])('%s is none: 404', async (path) => {
    const { call } = await underTest();
    for (const [method, rest] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/redrive'],
    ] as const) {
      const { status, body } = await call(`${path}${rest}`, method);
      expect([status, (body as Problem).code], method).toEqual([404, 'not_found']);
    }
  });
});

describe('POST /api/dead-letters/redrive', () => {
  it('says with dry_run what it would do, and does nothing', async () => {
    const { deadLetters, redriveMany, page } = await underTest();
    deadLetters.bury('encode', question('old', { deadline_at: 1 }));
    deadLetters.bury('encode', '{"id":"bad"}', { id: 'bad' });
    deadLetters.bury('retrieve', question('other'));
    const report = await redriveMany({ queue: 'job:encoder_in', dry_run: true });
    expect(report).toMatchObject({
      ...{ dry_run: true, matched: 2, redriven: 0, refused: 1, remaining: 0, stopped_by: null },
      results: [
        { job_id: 'old', outcome: 'would_redrive', deadline_renewed: true, code: null },
        { job_id: 'bad', outcome: 'refused', code: 'dead_letter_unreadable' },
      ],
    });
    expect([deadLetters.redriven, (await page('')).dead_letters.length]).toEqual([[], 3]);
  });

  it('takes the oldest that fit, as many as asked for', async () => {
    const { deadLetters, redriveMany } = await underTest();
    const ids = ['a', 'b', 'c', 'd'].map((id) => deadLetters.bury('encode', question(id), { id }));
    const jobs = async (body: object) =>
      (await redriveMany({ rate_per_second: 1000, ...body })).results.map(({ job_id }) => job_id);
    const at = (place: number) => new Date(1_700_000_000_000 + place).toISOString();
    const dry = { dry_run: true };
    expect(await jobs({ ...dry, before: at(2) })).toEqual(['a', 'b']);
    expect(await jobs({ ...dry, after: at(2) })).toEqual(['d']);
    expect(await jobs({ ...dry, code: 'poison' })).toEqual([]);
    expect(await jobs({ ids: [ids[3], ids[1], 'unknown'] })).toEqual(['b', 'd']);
    const rest = { remaining: 1, stopped_by: 'limit' };
    expect(await redriveMany({ limit: 1, ...dry })).toMatchObject({ matched: 2, redriven: 0, ...rest });
    expect(await redriveMany({ limit: 1 })).toMatchObject({ matched: 2, redriven: 1, ...rest });
    expect(await redriveMany({ limit: 1, ...dry })).toMatchObject({ remaining: 0, stopped_by: null });
    expect(deadLetters.redriven.map(({ id }) => id)).toEqual(['b', 'd', 'a']);
  });

  it('stops at a full queue and says how many remain', async () => {
    const { deadLetters, redriveMany } = await underTest();
    for (const id of ['a', 'b', 'c', 'd']) deadLetters.bury('encode', question(id), { id });
    deadLetters.answers = ['OK', 'LIVE', 'FULL'];
    expect(await redriveMany({})).toMatchObject({
      ...{ matched: 4, redriven: 1, refused: 1, remaining: 2, stopped_by: 'queue_full' },
      results: [{ outcome: 'redriven' }, { outcome: 'refused', code: 'dead_letter_not_redrivable' }],
    });
  });

  it('a full cap of batch questions does not keep back what counts against another', async () => {
    const { deadLetters, redriveMany } = await underTest();
    for (const [id, header] of [
      ['a', { class: 'batch' }],
      ['b', { class: 'batch' }],
      ['c', {}],
    ] as const) {
      deadLetters.bury('encode', question(id, header), { id });
    }
    deadLetters.answers = ['FULL', 'OK'];
    expect(await redriveMany({})).toMatchObject({
      ...{ matched: 3, redriven: 1, remaining: 2, stopped_by: 'queue_full' },
      results: [{ job_id: 'c', outcome: 'redriven' }],
    });
  });

  it.each([
    { rate_per_second: 0 },
    { limit: 0 },
    { ids: [] },
    { before: 'yesterday' },
    { queues: 'x' },
    { queue: 'x' },
  ])('refuses %j', async (body) => {
    const { post } = await underTest();
    expect((await post('/api/dead-letters/redrive', body)).status).toBe(422);
  });
});

describe('DELETE /api/dead-letters', () => {
  it('drops a queue, or what of it fits; never all queues', async () => {
    const { deadLetters, call } = await underTest();
    deadLetters.bury('encode', 'x', { code: 'poison' });
    deadLetters.bury('encode', 'y');
    deadLetters.put('encode', 'forged');
    deadLetters.bury('retrieve', 'z');
    const drop = async (query: string) => (await call(query, 'DELETE')).body.dropped;
    expect((await call('', 'DELETE')).status).toBe(422);
    expect(await drop('?queue=job:encoder_in&code=poison')).toBe(1);
    expect(await drop('?queue=job:encoder_in&code=invalid_letter')).toBe(1);
    expect(await drop('?queue=job:encoder_in')).toBe(1);
    expect([...(await deadLetters.counts())]).toEqual([
      ['encode', 0],
      ['retrieve', 1],
    ]);
  });
});

import type { DeadLettersRedriven } from '@vortex/contracts';
import { expect, it } from 'vitest';
import { json, localGateway } from '../test/local-gateway.ts';

const summary = {
  ...{ id: 'dlt_encode_1', queue: 'job:encoder_in', stage: 'encode', job_id: 'a/b', code: 'poison' },
  ...{ reason: 'killed it', attempts: 3, first_at: null, last_at: null, bytes: 9 },
};
const letter = {
  ...summary,
  ...{ raw: '{"id":"a"}', encoding: 'utf8', raw_truncated: false, redrivable: true, advice: null },
};
const redriven = {
  ...{ id: 'dlt_encode_1', queue: 'job:encoder_in', job_id: 'a/b', deadline_renewed: true },
  ...{ deadline_at: '2026-01-01T00:00:00.000Z', status_url: null },
};
const report: DeadLettersRedriven = {
  ...{
    dry_run: true,
    matched: 1,
    redriven: 0,
    refused: 0,
    remaining: 1,
    stopped_by: 'queue_full',
    results: [],
  },
};

it('lists, shows, redrives and drops dead letters', async () => {
  const heard: string[] = [];
  const { client } = await localGateway(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    const { method, url = '' } = request;
    heard.push(`${method} ${url} ${body}`.trim());
    if (method === 'GET')
      json(response, 200, url.includes('dlt_') ? letter : { dead_letters: [summary], next: null });
    else if (url.endsWith('/dlt%2F%3F') && method === 'DELETE') response.writeHead(204).end();
    else if (method === 'DELETE') json(response, 200, { dropped: 7 });
    else json(response, 200, url.endsWith('letters/redrive') ? report : redriven);
  });
  const { deadLetters } = client;
  expect((await deadLetters.list({ queue: 'job:encoder_in', limit: 5 })).dead_letters).toEqual([summary]);
  expect(await deadLetters.get('dlt_encode_1')).toEqual(letter);
  expect(await deadLetters.redrive('dlt_encode_1')).toEqual(redriven);
  expect(await deadLetters.redriveMany({ code: 'poison', dry_run: true })).toEqual(report);
  await deadLetters.drop('dlt/?');
  expect(await deadLetters.dropMany({ queue: 'job:encoder_in', code: 'poison' })).toEqual({ dropped: 7 });
  expect(heard).toEqual([
    'GET /api/dead-letters?queue=job%3Aencoder_in&limit=5',
    'GET /api/dead-letters/dlt_encode_1',
    'POST /api/dead-letters/dlt_encode_1/redrive',
    'POST /api/dead-letters/redrive {"code":"poison","dry_run":true}',
    'DELETE /api/dead-letters/dlt%2F%3F',
    'DELETE /api/dead-letters?queue=job%3Aencoder_in&code=poison',
  ]);
});

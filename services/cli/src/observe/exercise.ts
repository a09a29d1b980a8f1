import { askRedis } from '../redis/ask-redis.ts';

/**
 * A short run that makes every part of a stack count something: what a dashboard shows must have happened once.
 * Questions that are answered, kept, streamed, left, asked for later; searches of every kind; documents that are
 * read, unchanged, unreadable; a job that nobody can read. Another round is about other things: what is known already
 * would come from a cache.
 */
export async function exercise(stack: { url: string; redisUrl: string; round: number }): Promise<void> {
  const { url, redisUrl, round } = stack;
  const post = (path: string, body: unknown, signal?: AbortSignal) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });
  const read = async (reply: Promise<Response>) => void (await (await reply).text());

  const text = aboutKettles(round);
  const documents = [
    text,
    text,
    {
      name: `lamps-${round}.pdf`,
      type: 'application/pdf',
      bytes: onePagePdf(`Lamp ${round} is switched on by its lever.`),
    },
    { name: `broken-${round}.pdf`, type: 'application/pdf', bytes: Buffer.from('%PDF-1.7 nothing') },
  ];
  for (const document of documents) await upload(url, document);

  for (let number = 0; number < 6; number += 1) {
    const query = `How is kettle number ${number} of round ${round} descaled?`;
    await read(post('/query', { query }));
    await read(post('/query', { query }));
    await read(post('/query', { query: `${query} And how often?`, stream: true }));
    await Promise.all([1, 2].map(() => read(post('/query', { query: `Twice at once: ${query}` }))));
  }
  for (const mode of ['dense', 'sparse', 'hybrid'])
    await read(post('/search', { query: `kettle ${round}`, mode }));
  await waitForJob(
    url,
    await post('/query', { query: `Which kettle of round ${round} whistles?`, async: true }),
  );
  await leaveStream(post, `How is a kettle of round ${round} filled?`);
  await askRedis(redisUrl, [['RPUSH', 'job:encoder_in', 'nobody can read this']]);
}

export interface Document {
  name: string;
  type: string;
  bytes: Buffer;
}

/** Returns when it has been read, or refused. */
export async function upload(url: string, { name, type, bytes }: Document): Promise<void> {
  const form = new FormData();
  form.set('file', new File([new Uint8Array(bytes)], name, { type }));
  await waitForJob(url, await fetch(`${url}/api/documents/upload`, { method: 'POST', body: form }));
}

async function leaveStream(
  post: (path: string, body: unknown, signal?: AbortSignal) => Promise<Response>,
  query: string,
): Promise<void> {
  const leaving = new AbortController();
  const reply = await post('/query', { query, stream: true }, leaving.signal);
  await reply.body?.getReader().read();
  leaving.abort();
}

async function waitForJob(url: string, reply: Response): Promise<void> {
  const said: unknown = await reply.json();
  const id = typeof said === 'object' && said !== null && 'job_id' in said ? String(said.job_id) : null;
  if (id !== null) await (await fetch(`${url}/api/jobs/${encodeURIComponent(id)}?wait=30s`)).text();
}

export function aboutKettles(round: number): Document {
  return {
    name: `kettles-${round}.txt`,
    type: 'text/plain',
    bytes: Buffer.from(prose(`kettle of round ${round}`)),
  };
}

function prose(subject: string): string {
  return Array.from(
    { length: 40 },
    (_, number) =>
      `The ${subject} number ${number} is descaled every ${number + 2} weeks with vinegar and filled to the upper line.`,
  ).join('\n\n');
}

/** The least a reader takes for a page: catalogue, pages, page, text, font. */
function onePagePdf(text: string): Buffer {
  const content = `BT /F1 12 Tf 50 700 Td (${text}) Tj ET`;
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ];
  let body = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = body.length;
    body += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  return Buffer.from(
    `${body}xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${body.length}\n%%EOF\n`,
  );
}

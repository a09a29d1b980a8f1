import { eventually, getJson, type JsonReply, postJson } from './http.ts';

/** Documents as a client without our types hands them in and looks after them. */

export interface Upload {
  name: string;
  content: string | Uint8Array<ArrayBuffer>;
  fields?: Record<string, string | number | object>;
}

export async function upload(
  url: string,
  { name, content, fields = {} }: Upload,
  headers: Record<string, string> = {},
): Promise<JsonReply> {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) {
    form.set(field, typeof value === 'object' ? JSON.stringify(value) : String(value));
  }
  form.append('file', new Blob([content]), name);
  const reply = await fetch(`${url}/api/documents/upload`, { method: 'POST', body: form, headers });
  return { status: reply.status, headers: reply.headers, body: await reply.json() };
}

const ended = new Set(['completed', 'failed', 'cancelled']);

/** The job once it has ended; a gateway or Redis that is away meanwhile is waited for. */
export function jobEnd(url: string, id: string, limitMs = 120_000): Promise<JsonReply['body']> {
  return eventually(
    async () => {
      const { status, body } = await getJson(`${url}/api/jobs/${id}?wait=5s`);
      return status === 200 && ended.has(body.status) ? body : null;
    },
    limitMs,
    `job ${id} ends`,
  );
}

/** Uploads and waits. @throws when the upload is refused or its job does not complete. */
export async function ingest(url: string, what: Upload): Promise<{ documentId: string; chunks: number }> {
  const { status, body } = await upload(url, what);
  if (status !== 202 && status !== 200) throw new Error(`${what.name}: ${status} ${JSON.stringify(body)}`);
  if (body.job_id !== null) {
    const job = await jobEnd(url, body.job_id);
    if (job.status !== 'completed') throw new Error(`${what.name}: ${JSON.stringify(job)}`);
  }
  const document = (await getJson(`${url}/api/documents/${body.document_id}`)).body;
  return { documentId: body.document_id, chunks: document.chunks };
}

export async function textOf(url: string, documentId: string): Promise<string> {
  return (await fetch(`${url}/api/documents/${documentId}/text`)).text();
}

export async function allChunks(url: string, documentId: string): Promise<JsonReply['body'][]> {
  const chunks: JsonReply['body'][] = [];
  for (let after = ''; ; ) {
    const { body } = await getJson(`${url}/api/documents/${documentId}/chunks?limit=100${after}`);
    chunks.push(...body.chunks);
    if (body.next === null) return chunks;
    after = `&after=${encodeURIComponent(body.next)}`;
  }
}

export async function search(url: string, query: string, more: Record<string, unknown>) {
  const { status, body } = await postJson(`${url}/search`, { query, ...more });
  if (status !== 200) throw new Error(`search: ${status} ${JSON.stringify(body)}`);
  return body.hits as JsonReply['body'][];
}

const subjects = [
  'The pump',
  'A valve',
  'The boiler',
  'Every sensor',
  'The conveyor',
  'This turbine',
  'Its rotor',
];
const verbs = ['needs', 'reports', 'loses', 'gains', 'measures', 'exceeds', 'tolerates'];
const objects = [
  'pressure',
  'oil',
  'two bars',
  'a new seal',
  'forty degrees',
  'torque',
  'fresh water',
  'noise',
];
const places = ['in hall four', 'at night', 'after the service', 'under load', 'in winter', 'near the dock'];

/** Prose of so many paragraphs, every one of another wording; `name` makes two texts differ throughout. */
export function prose(name: string, paragraphs: number): string {
  const pick = (list: readonly string[], number: number) => list[number % list.length] ?? '';
  return Array.from({ length: paragraphs }, (_, paragraph) =>
    Array.from({ length: 8 }, (_, sentence) => {
      const number = paragraph * 31 + sentence * 7 + name.length;
      const subject = pick(subjects, number);
      const verb = pick(verbs, number + paragraph);
      const object = pick(objects, number + sentence);
      return `${subject} of ${name} ${verb} ${object} ${pick(places, number)} on day ${paragraph * 8 + sentence}.`;
    }).join(' '),
  ).join('\n\n');
}

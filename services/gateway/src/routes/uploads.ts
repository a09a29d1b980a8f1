import { createHash } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import {
  type DocumentRequest,
  documentSettings,
  StageFailure,
  type UploadFields,
  type UploadsAccepted,
} from '@vortex/contracts';
import { sniffDocument } from '@vortex/documents';
import { QueueUnavailable } from '@vortex/queue';
import { type AcceptedDocument, type ArrivedDocument, acceptDocuments } from '../accept/accept-documents.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { type Exchange, type GatewayContext, jsonAnswer } from '../exchange.ts';
import { idempotencyKeyOf, idempotencyOf } from '../idempotency.ts';
import { readJson } from '../middleware/json-body.ts';
import { idempotencyHeader, jsonBody, jsonContent, schemas } from '../openapi-schemas.ts';
import { gatewayProblem, type HttpProblem, problemOf } from '../problem.ts';
import { type ReceivedFile, receiveUpload } from '../upload/receive-upload.ts';
import { readUploadForm } from '../upload/upload-form.ts';

const uploadForm = z
  .object({
    file: z.any().openapi({
      type: 'array',
      items: { type: 'string', format: 'binary' },
      description: 'One file or several, each with a name.',
    }),
    ...documentSettings,
    metadata: z.string().optional().openapi({ description: 'A JSON object.', example: '{"lang":"en"}' }),
  })
  .openapi('UploadForm');

const answers = {
  200: jsonContent(
    z.union([schemas.uploadAccepted, schemas.uploadsAccepted]),
    'Nothing is to be done: the same bytes with the same settings are there (`deduplicated`), or `if_exists: skip`.',
  ),
  202: jsonContent(
    z.union([schemas.uploadAccepted, schemas.uploadsAccepted]),
    'Queued; ask at `status_url`. For several files `{"jobs": […]}`, in which a file may be `refused`.',
  ),
};

/** `POST /api/documents/upload` and `POST /api/documents`: files and texts, on one way in. */
export function uploadEndpoints(parts: GatewayParts): Endpoint[] {
  return [
    {
      method: 'post',
      path: '/api/documents/upload',
      access: 'ingest',
      tag: 'documents',
      summary: 'Upload files',
      description:
        'Markdown, HTML, text, PDF, DOCX, PPTX, XLSX, ODT, RTF, EPUB, CSV, JSON and source code; the type is read ' +
        'from the bytes. Without `external_id` a document’s identity is its collection and file name; the same ' +
        'identity again replaces the document once the new version is searchable. `gateway.max_upload_bytes` bounds ' +
        'the files of a request together. With `Idempotency-Key` a repeated request is answered as the first was.',
      request: {
        headers: idempotencyHeader,
        body: { required: true, content: { 'multipart/form-data': { schema: uploadForm } } },
      },
      responses: answers,
      problems: [400, 409, 413, 415, 422, 503, 507],
      handle: (context, exchange) => upload(parts, context, exchange),
    },
    {
      method: 'post',
      path: '/api/documents',
      access: 'ingest',
      tag: 'documents',
      summary: 'Hand in a text, Markdown or HTML as a document',
      description:
        'Exactly one of `text`, `markdown` and `html`. Without `external_id` the title is the identity; without a ' +
        'title one is made of the content, so that the same text twice is one document.',
      request: {
        headers: idempotencyHeader,
        ...jsonBody(schemas.documentRequest, { title: 'Warranty', text: 'The warranty lasts two years.' }),
      },
      responses: answers,
      problems: [400, 409, 413, 415, 422, 503, 507],
      handle: (context, exchange) => handIn(parts, context, exchange),
    },
  ];
}

interface RefusedFile {
  filename: string | null;
  problem: HttpProblem;
}

async function upload(parts: GatewayParts, context: GatewayContext, exchange: Exchange): Promise<Response> {
  const key = idempotencyKeyOf(context);
  await assertQueueAnswers(parts);
  const { max_upload_bytes: maxBytes, max_upload_files: maxFiles } = parts.settings;
  const received = await receiveUpload(context, { folder: parts.incomingDir, maxBytes, maxFiles });
  try {
    const { files } = received;
    const fields = readUploadForm(received.fields);
    assertFilesFit(files, fields);
    const seen = await Promise.all(files.map((file) => lookAt(parts, file)));
    const documents = seen.flatMap((one) => ('problem' in one ? [] : [one]));
    const idempotency =
      key === null
        ? null
        : idempotencyOf(key, ['upload', fields, files.map(({ filename, hash }) => [filename, hash])]);
    const accepted =
      documents.length === 0 ? [] : await acceptDocuments(parts, exchange, documents, fields, idempotency);
    let next = 0;
    const results = seen.map((one) => ('problem' in one ? one : accepted[next++]));
    const answer = answerUpload(exchange, results, fields);
    // Not waited for: what is left are copies of what was there, and unlinking 200 MB takes 90 ms.
    received
      .dispose()
      .catch((error: unknown) => parts.log.warn({ err: error }, 'an arrived file stays until the sweep'));
    return answer;
  } catch (error) {
    await received.dispose();
    throw error;
  }
}

async function handIn(parts: GatewayParts, context: GatewayContext, exchange: Exchange): Promise<Response> {
  const key = idempotencyKeyOf(context);
  await assertQueueAnswers(parts);
  const request = await readJson(context, schemas.documentRequest, parts.settings.max_ingest_bytes);
  const { text, markdown, html, ...fields } = request;
  const bytes = Buffer.from(text ?? markdown ?? html ?? '');
  const hash = createHash('sha256').update(bytes).digest('hex');
  const document: ArrivedDocument = {
    filename: null,
    // The cut may go through a character.
    name: fields.title?.slice(0, 512).toWellFormed() ?? `text-${hash.slice(0, 16)}`,
    mediaType: mediaTypeOf(request),
    hash,
    bytes: bytes.length,
    place: async () => void (await parts.originals.put(bytes)),
  };
  const idempotency =
    key === null ? null : idempotencyOf(key, ['document', fields, document.mediaType, hash]);
  const accepted = await acceptDocuments(parts, exchange, [document], fields, idempotency);
  return answerUpload(exchange, accepted, fields);
}

function mediaTypeOf({ markdown, html }: DocumentRequest): string {
  if (markdown !== undefined) return 'text/markdown';
  return html === undefined ? 'text/plain' : 'text/html';
}

/** Before the body is read: half a gigabyte is not to be sent for a 503. A frozen Redis is noticed by asking it. */
async function assertQueueAnswers({ submitter, inspector }: GatewayParts): Promise<void> {
  if (submitter.isReady() && (await inspector.ping())) return;
  throw new QueueUnavailable('redis does not answer');
}

function assertFilesFit(files: readonly ReceivedFile[], fields: UploadFields): void {
  const refused = (pointer: string, message: string) =>
    gatewayProblem('validation', {
      detail: 'The form is not as this route takes it; errors says where.',
      errors: [{ pointer, message }],
    });
  if (files.length === 0) throw refused('/file', 'is required');
  if (files.length === 1) return;
  if (fields.external_id !== undefined)
    throw refused('/external_id', 'names one document; send one file with it');
  if (fields.title !== undefined) throw refused('/title', 'names one document; send one file with it');
}

async function lookAt(parts: GatewayParts, file: ReceivedFile): Promise<ArrivedDocument | RefusedFile> {
  const { filename, hash, bytes } = file;
  try {
    if (bytes === 0) throw new StageFailure('empty_document', `${filename} is empty`);
    const { originals } = parts;
    const held = file.kind === 'held';
    const bytesOf = held ? { content: file.content } : { file: file.path };
    const { mediaType } = await sniffDocument({ ...bytesOf, filename });
    const place = async () => {
      if (held) await originals.put(file.content);
      else await originals.adopt(file.path, hash);
    };
    return { filename, name: filename, mediaType, hash, bytes, place };
  } catch (error) {
    const problem = error instanceof StageFailure ? problemOf(error) : null;
    if (problem === null) throw error;
    return { filename, problem };
  }
}

function answerUpload(
  exchange: Exchange,
  results: readonly (AcceptedDocument | RefusedFile | undefined)[],
  fields: UploadFields,
): Response {
  const entries = results.map((result): AcceptedDocument | RefusedFile => {
    if (result === undefined) throw new Error('the registry answered fewer documents than it was given');
    if ('problem' in result || result.outcome !== 'exists' || fields.if_exists !== 'error') return result;
    return { filename: result.answer.filename ?? null, problem: documentExists(result) };
  });
  const accepted = entries.flatMap((entry) => ('problem' in entry ? [] : [entry]));
  const [first] = entries;
  if (first === undefined || accepted.length === 0) {
    throw first !== undefined && 'problem' in first ? first.problem : new Error('an upload without files');
  }
  const status = accepted.some((entry) => entry.status === 202) ? 202 : 200;
  if (entries.length === 1 && !('problem' in first)) {
    const { status_url: location } = first.answer;
    return jsonAnswer(exchange, first.answer, status, location === null ? {} : { Location: location });
  }
  const jobs: UploadsAccepted['jobs'] = entries.map((entry) => {
    if (!('problem' in entry)) return entry.answer;
    const { code, detail } = entry.problem.problem;
    return { filename: entry.filename, status: 'refused', code, message: detail };
  });
  return jsonAnswer(exchange, { jobs }, status);
}

function documentExists({ answer }: AcceptedDocument): HttpProblem {
  return gatewayProblem('document_exists', {
    detail: `${answer.filename ?? 'This name'} is document ${answer.document_id} of the collection already; if_exists says what to do then.`,
  });
}

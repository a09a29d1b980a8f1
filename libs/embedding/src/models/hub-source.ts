import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EnvHttpProxyAgent, fetch } from 'undici';
import { type ModelSource, onnxFile, type SourceRequest, silenceWatch, tokenizerFile } from './source.ts';

/** Used when neither the configuration nor `HF_ENDPOINT` names a mirror. */
const publicHub = 'https://huggingface.co';

/** The model hub or a mirror of it, over HTTPS; `HTTPS_PROXY` and `NO_PROXY` are honoured. */
export function hubSource(endpoint: string = publicHub): ModelSource {
  const base = endpoint.replace(/\/+$/, '');
  return {
    name: `model hub (${base})`,
    async fetch(request) {
      const dispatcher = new EnvHttpProxyAgent();
      try {
        const { repository, onnxPath } = request.model.hub;
        const root = `${base}/${repository}/resolve/main`;
        // The small file first: a hub that does not answer is noticed before 23 MB are asked for.
        await download(`${root}/tokenizer.json`, tokenizerFile, request, dispatcher);
        await download(`${root}/${onnxPath}`, onnxFile, request, dispatcher);
      } finally {
        await dispatcher.destroy();
      }
    },
  };
}

async function download(
  url: string,
  file: string,
  request: SourceRequest,
  dispatcher: EnvHttpProxyAgent,
): Promise<void> {
  const giveUp = new AbortController();
  const silence = new Error(`no answer for ${request.silenceMs / 1000} s`);
  const watch = silenceWatch(request.silenceMs, () => giveUp.abort(silence));
  try {
    const response = await fetch(url, { dispatcher, signal: giveUp.signal });
    watch.touch();
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw new Error(`${url} answered ${response.status}`);
    }
    const length = Number(response.headers.get('content-length') ?? Number.NaN);
    const totalBytes = Number.isFinite(length) && length > 0 ? length : null;
    let bytes = 0;
    const counter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        watch.touch();
        bytes += chunk.length;
        request.onBytes({ file, bytes, totalBytes });
        done(null, chunk);
      },
    });
    const target = join(request.folder, file);
    await mkdir(dirname(target), { recursive: true });
    await pipeline(Readable.fromWeb(response.body), counter, createWriteStream(target), {
      signal: giveUp.signal,
    });
  } catch (error) {
    throw giveUp.signal.aborted ? silence : withCause(error);
  } finally {
    watch.stop();
  }
}

/** `fetch failed` alone says nothing; its cause (ENOTFOUND, ECONNREFUSED …) does. */
function withCause(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const cause = error.cause instanceof Error ? error.cause.message || error.cause.name : undefined;
  return cause === undefined ? error : new Error(`${error.message}: ${cause}`, { cause: error });
}

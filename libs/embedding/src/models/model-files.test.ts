import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { catalogue, catalogueModel, fingerprintOf, modelIds } from './catalogue.ts';
import { hubSource } from './hub-source.ts';
import { mavenSource } from './maven-source.ts';
import { ensureModel, ModelUnavailable } from './model-files.ts';
import { type ModelSource, onnxFile } from './source.ts';

const model = 'all-minilm-l6-v2';
let modelsDir = '';
const servers: Server[] = [];

beforeEach(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'vortex-models-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await rm(modelsDir, { recursive: true, force: true });
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The error of an `ensureModel` that must fail. */
async function failure(sources: ModelSource[], silenceMs = 10_000): Promise<ModelUnavailable> {
  const error = await ensureModel({ model, modelsDir, sources, silenceMs }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ModelUnavailable);
  return error as ModelUnavailable;
}

describe('catalogue', () => {
  it('gives every model a fingerprint of its own', () => {
    const fingerprints = modelIds.map((id) => fingerprintOf(catalogue[id]));
    expect(fingerprints).toEqual(['all-minilm-l6-v2/384/afdb6f1a0e45', 'bge-small-en-v1.5/384/6c9c6101a956']);
  });

  it('lists the known models when asked for another', () => {
    expect(() => catalogueModel('gpt-9')).toThrow(
      'unknown embedding model "gpt-9"; choose one of all-minilm-l6-v2, bge-small-en-v1.5',
    );
  });
});

describe('ensureModel without a source that has the files', () => {
  it('says what was tried and what to put where', async () => {
    const refused = await serve((_request, response) => response.writeHead(404).end());
    const error = await failure([hubSource(refused), mavenSource('no-such-mvn')]);
    expect(error.attempts.map(({ reason }) => reason)).toEqual([
      `${onnxFile} is not there`,
      expect.stringContaining('tokenizer.json answered 404'),
      'no-such-mvn is not installed',
    ]);
    expect(error.message).toContain(join(modelsDir, model, onnxFile));
    expect(error.message).toContain('HF_ENDPOINT');
  });

  it('gives up a hub that accepts the call and then says nothing', async () => {
    const silent = await serve(() => {});
    const error = await failure([hubSource(silent)], 50);
    expect(error.attempts[1]?.reason).toBe('no answer for 0.05 s');
  });

  it('gives up a hub that stops in the middle of a file', async () => {
    const stalling = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{');
    });
    const error = await failure([hubSource(stalling)], 50);
    expect(error.attempts[1]?.reason).toBe('no answer for 0.05 s');
  });

  it('names the cause when nobody listens', async () => {
    const url = await serve(() => {});
    await new Promise((resolve) => servers.splice(0)[0]?.close(resolve));
    const error = await failure([hubSource(url)]);
    expect(error.attempts[1]?.reason).toContain('ECONNREFUSED');
  });

  it('gives up an mvn that hangs, and passes on what a failing one says', async () => {
    const script = async (name: string, text: string): Promise<string> => {
      const path = join(modelsDir, name);
      await writeFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
      return path;
    };
    const hanging = await script('hanging', 'exec sleep 60');
    const failing = await script('failing', 'echo "[ERROR] Could not resolve artifact"; exit 1');
    const error = await failure([mavenSource(hanging), mavenSource(failing)], 200);
    expect(error.attempts.slice(1).map(({ reason }) => reason)).toEqual([
      'no sign of life for 0.2 s',
      'Could not resolve artifact',
    ]);
  });

  it('refuses files with other bytes, and leaves nothing behind', async () => {
    const imposter = await serve((_request, response) => response.end('not the model'));
    const error = await failure([hubSource(imposter)]);
    expect(error.attempts[1]?.reason).toMatch(/has 13 bytes and SHA-256 .* expected 22972370 bytes/);
    expect(await readdir(modelsDir)).toEqual([]);
  });

  it('asks nobody when the network is not allowed', async () => {
    const error = await ensureModel({ model, modelsDir, allowNetwork: false }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ModelUnavailable);
    expect(error.attempts.map(({ source }: { source: string }) => source)).toEqual([
      `models folder (${join(modelsDir, model)})`,
      'network',
    ]);
  });

  it('reports bytes as they arrive', async () => {
    const body = 'x'.repeat(5000);
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': String(body.length) });
      response.end(body);
    });
    const seen: { file: string; bytes: number; totalBytes: number | null }[] = [];
    await ensureModel({
      model,
      modelsDir,
      sources: [hubSource(url)],
      onProgress: ({ file, bytes, totalBytes }) => seen.push({ file, bytes, totalBytes }),
    }).catch(() => {});
    expect(seen.at(-1)).toEqual({ file: onnxFile, bytes: 5000, totalBytes: 5000 });
  });

  it('tells a damaged model in the models folder from a missing one', async () => {
    const [source] = [{ name: 'none', fetch: () => Promise.reject(new Error('has nothing')) }];
    await failure([source]);
    await mkdir(join(modelsDir, model, 'onnx'), { recursive: true });
    await writeFile(join(modelsDir, model, onnxFile), 'cut');
    const error = await failure([source]);
    expect(error.attempts[0]?.reason).toContain('has 3 bytes');
    expect(await readFile(join(modelsDir, model, onnxFile), 'utf8')).toBe('cut');
  });
});

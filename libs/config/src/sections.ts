import { z } from 'zod';

// One piece: a table, a section after the other, as docs/03 shows it.

/**
 * The parts a service's configuration is composed of. A section name and key here is what people write
 * in `conf/<service>.yaml`, after `--set`, and, upper-cased and joined by `__`, in the environment.
 * `env` lists the plain names that are understood as well (from the stack people come from); they lose
 * against the `VORTEX__…` name. `secret` values are masked wherever configuration is printed.
 */
export interface FieldMeta {
  env?: readonly string[];
  secret?: boolean;
  /** One line for `docs/03-configuration.md`. */
  about: string;
}

export const fieldMeta = z.registry<FieldMeta>();

function field<T extends z.ZodType>(schema: T, about: string, more: Omit<FieldMeta, 'about'> = {}): T {
  fieldMeta.add(schema, { about, ...more });
  return schema;
}

const port = z.coerce.number().int().min(0).max(65_535);
const count = z.coerce.number().int().min(1);
/** One each: what is said of a setting hangs on its schema. */
const limit = () => z.coerce.number().int().min(0).default(0);
const milliseconds = z.coerce.number().int().min(0);
const onOrOff = z.union([z.boolean(), z.stringbool()]);
const byCommas = (value: unknown) => (typeof value === 'string' ? value.split(',').filter(Boolean) : value);
const commaList = z.preprocess(byCommas, z.array(z.string().trim().min(1)));
const optionalText = z
  .string()
  .trim()
  .transform((text) => (text === '' ? null : text))
  .nullable();

/** For `rediss://`; the Redis of the queue and that of the cache may be different servers. */
const tlsFields = () => ({
  tls_ca_file: field(
    optionalText.default(null),
    'For `rediss://`: certificates (PEM) of who signed the server’s, when the system does not know them.',
  ),
  tls_cert_file: field(
    optionalText.default(null),
    'Certificate (PEM) of ours, for a server that asks for one.',
  ),
  tls_key_file: field(optionalText.default(null), 'Private key (PEM) of that certificate.'),
  tls_servername: field(
    optionalText.default(null),
    'Name on the server’s certificate, when the address is not it.',
  ),
});

export const sections = {
  redis: z.strictObject({
    url: field(
      z
        .string()
        .regex(/^rediss?:\/\//, 'must start with redis:// or rediss://')
        .default('redis://127.0.0.1:6379'),
      'Redis or Valkey ≥ 7.0 that carries the queues. Also understood: `REDIS_ADDR`, or `REDIS_HOST` and `REDIS_PORT`.',
      { env: ['REDIS_URL'], secret: true },
    ),
    ...tlsFields(),
  }),
  cache: z.strictObject({
    url: field(optionalText.default(null), 'A second Redis for caches only; none when empty.', {
      env: ['CACHE_REDIS_URL'],
      secret: true,
    }),
    ...tlsFields(),
    timeout_ms: field(
      count.max(1000).default(50),
      'The longest a look-up may hold a query up; a cache that is late twice in a row is left alone until it answers.',
    ),
    answer_ttl_ms: field(
      milliseconds.default(3_600_000),
      'How long an answer is kept; 0 keeps none. A changed document ends it at once.',
    ),
    retrieval_ttl_ms: field(
      milliseconds.default(3_600_000),
      'How long the chunks found for a question are kept; 0 keeps none. A changed document ends it at once.',
    ),
    embedding_ttl_ms: field(
      milliseconds.default(86_400_000),
      'How long the vector of a question is kept; 0 keeps none.',
    ),
    max_entry_bytes: field(
      count.default(256 * 1024),
      'Larger answers and results are not kept. All together are bounded by the cache Redis’ `maxmemory`.',
    ),
  }),
  explain: z.strictObject({
    share: field(
      z.coerce.number().min(0).max(1).default(1),
      'Of all queries, the share whose story is kept in the cache Redis for `GET /api/queries/{id}/explain`; 0 keeps none.',
    ),
    keep_ms: field(milliseconds.default(86_400_000), 'How long a query’s story is kept.'),
    max_queries: field(count.default(20_000), 'Stories kept; the oldest goes.'),
    max_bytes: field(
      count.default(16 * 1024 * 1024),
      'What all stories together may take of the cache Redis; the oldest goes.',
    ),
    max_part_bytes: field(
      count.default(16 * 1024),
      'Of the four parts of a story; a larger one is not kept.',
    ),
    question: field(
      onOrOff.default(true),
      'Keep the beginning of the question with its story. Passages, answers and prompts are never kept there.',
    ),
  }),
  http: z.strictObject({
    host: field(z.string().min(1).default('127.0.0.1'), 'Address the service listens on.'),
    port: field(
      port.default(0),
      'Port of the service (the gateway’s is 8000 under `./vortex up`); 0 picks a free one.',
      {
        env: ['PORT'],
      },
    ),
    url: field(
      optionalText.default(null),
      'Address others reach this service at; by default made of host and port.',
    ),
  }),
  worker: z.strictObject({
    name: field(
      z
        .string()
        .regex(/^[a-zA-Z0-9_.-]{1,64}$/)
        .refine((name) => name !== 'low', 'is the name of a list; take another')
        .default('worker_1'),
      'Name of this process; a generator’s is part of its list.',
      {
        env: ['WORKER_NAME'],
      },
    ),
    drain_budget_ms: field(
      milliseconds.default(10_000),
      'How long SIGTERM waits for running jobs before it gives them back.',
    ),
  }),
  log: z.strictObject({
    level: field(
      z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
      'Least level that is written. SIGUSR2 switches a running process to `debug`, and back.',
      {
        env: ['LOG_LEVEL'],
      },
    ),
    format: field(
      z.enum(['auto', 'json', 'pretty']).default('auto'),
      'One JSON line per event, or text for people; `auto` is the second on a terminal.',
    ),
  }),
  metrics: z.strictObject({
    enabled: field(onOrOff.default(true), 'Count and measure; without, `/metrics` is empty.'),
  }),
  tracing: z.strictObject({
    otlp_endpoint: field(
      optionalText.default(null),
      'Base address of an OTLP/HTTP collector; with neither address no trace is made, and no SDK loaded.',
      { env: ['OTEL_EXPORTER_OTLP_ENDPOINT'] },
    ),
    otlp_traces_endpoint: field(
      optionalText.default(null),
      'The same for traces alone, with its path (`…/v1/traces`).',
      { env: ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] },
    ),
    exporter: field(z.string().default('otlp'), 'Anything else than `otlp` (`none`) exports nothing.', {
      env: ['OTEL_TRACES_EXPORTER'],
    }),
    disabled: field(onOrOff.default(false), 'Off, whatever the addresses say.', {
      env: ['OTEL_SDK_DISABLED'],
    }),
    sampler: field(
      z
        .enum([
          'always_on',
          'always_off',
          'traceidratio',
          'parentbased_always_on',
          'parentbased_always_off',
          'parentbased_traceidratio',
        ])
        .default('parentbased_always_on'),
      'Which queries are traced. `parentbased_…`: a caller’s `traceparent` decides where there is one.',
      { env: ['OTEL_TRACES_SAMPLER'] },
    ),
    sampler_arg: field(
      z.coerce.number().min(0).max(1).default(1),
      'Share of the traces that the ratio samplers record.',
      { env: ['OTEL_TRACES_SAMPLER_ARG'] },
    ),
    service_name: field(
      optionalText.default(null),
      '`service.name` of the spans; by default `vortex-` and the service.',
      { env: ['OTEL_SERVICE_NAME'] },
    ),
    max_queue_size: field(count.default(2048), 'Ended spans that wait for the export; more are dropped.', {
      env: ['OTEL_BSP_MAX_QUEUE_SIZE'],
    }),
    schedule_delay_ms: field(count.default(5000), 'Time between two exports.', {
      env: ['OTEL_BSP_SCHEDULE_DELAY'],
    }),
  }),
  data: z.strictObject({
    dir: field(z.string().min(1).default('./data'), 'Folder of registry, vectors, texts, models and logs.'),
    snapshot_marker: field(
      optionalText.default(null),
      'File that your backup touches when a copy of the data is complete; its age is watched (SnapshotOld). Unset: not watched.',
    ),
  }),
  embedding: z.strictObject({
    model: field(
      z.enum(['all-minilm-l6-v2', 'bge-small-en-v1.5']).default('all-minilm-l6-v2'),
      'Sentence encoder (int8, 384 dimensions).',
    ),
    models_dir: field(
      optionalText.default(null),
      'Where model files are; by default `models` in the data folder.',
    ),
    threads: field(
      z.coerce.number().int().min(0).max(64).default(0),
      'Inference threads; 0 lets a measurement at start decide.',
    ),
    hf_endpoint: field(optionalText.default(null), 'Mirror of the model hub.', { env: ['HF_ENDPOINT'] }),
  }),
  store: z.strictObject({
    qdrant_url: field(optionalText.default(null), 'Use this Qdrant; LanceDB in the data folder when empty.', {
      env: ['QDRANT_URL'],
    }),
    qdrant_api_key: field(optionalText.default(null), 'API key of that Qdrant.', {
      env: ['QDRANT_API_KEY'],
      secret: true,
    }),
    exact_below: field(
      z.coerce.number().int().min(0).default(10_000),
      'Collections with fewer chunks are searched exactly, in memory.',
    ),
  }),
  retrieval: z.strictObject({
    top_k: field(count.max(50).default(6), 'Chunks looked for when the request does not say.'),
    relevance_floor: field(
      z.coerce.number().min(-1).max(1).default(0.26),
      'Best cosine under which a question is refused as having no relevant context.',
    ),
    mode: field(
      z.enum(['dense', 'sparse', 'hybrid']).default('hybrid'),
      'How chunks are looked for when the request does not say: by vectors, by words (BM25), by both.',
    ),
    prompt_tokens: field(count.default(2000), 'Budget of the augmented prompt, in tokens.'),
    slots: field(count.default(16), 'Questions one retriever works on at a time.'),
  }),
  llm: z.strictObject({
    backend: field(z.enum(['ollama', 'openai']).default('ollama'), 'Protocol of the language model server.', {
      env: ['LLM_BACKEND'],
    }),
    ollama_url: field(z.url().default('http://127.0.0.1:11434'), 'Ollama server.', { env: ['OLLAMA_URL'] }),
    openai_base_url: field(
      z.url().default('https://api.openai.com/v1'),
      'Any OpenAI-compatible server, with its `/v1`.',
      {
        env: ['OPENAI_BASE_URL'],
      },
    ),
    openai_api_key: field(optionalText.default(null), 'Key sent to that server.', {
      env: ['OPENAI_API_KEY'],
      secret: true,
    }),
    model: field(
      optionalText.default(null),
      'Model name; by default `llama3.2` on Ollama and `gpt-4o-mini` elsewhere.',
      {
        env: ['LLM_MODEL', 'OLLAMA_MODEL', 'OPENAI_MODEL'],
      },
    ),
    slots: field(
      z.coerce.number().int().min(0).max(1000).default(0),
      'Generations a replica runs at a time; 0 means 4 on Ollama and 20 elsewhere.',
    ),
    late_after_ms: field(
      count.default(2000),
      'A call without a token for so long, and for three times what other replicas need, is tried elsewhere and speaks against its replica.',
    ),
    max_tokens: field(count.default(512), 'Most tokens of an answer.'),
    temperature: field(z.coerce.number().min(0).max(2).default(0), 'Sampling temperature.'),
  }),
  mock_llm: z.strictObject({
    ports: field(
      z.preprocess(byCommas, z.array(port).min(1)).default([0]),
      'One listener per port, comma-separated; each generator has its own.',
    ),
    latency_ms: field(milliseconds.default(0), 'Wait before the first token.'),
    tokens_per_second: field(z.coerce.number().min(0).default(0), 'Pace of the tokens; 0 sends all at once.'),
    model: field(z.string().min(1).default('mock-extractive'), 'Model name it answers to.'),
  }),
  gateway: z.strictObject({
    query_timeout_ms: field(
      milliseconds.max(300_000).default(60_000),
      'How long a query waits when it brings no `deadline_ms`.',
    ),
    max_live_queries: field(count.default(1000), 'Queries in the whole chain; one more is answered 503.'),
    max_live_documents: field(
      count.default(100_000),
      'Documents waiting or worked on; one more is answered 503.',
    ),
    max_body_bytes: field(count.default(1024 * 1024), 'Largest body of a query or search.'),
    max_ingest_bytes: field(
      count.default(32 * 1024 * 1024),
      'Largest body of `POST /ingest` and of `POST /api/documents`.',
    ),
    max_upload_bytes: field(
      count.default(512 * 1024 * 1024),
      'All files of one `POST /api/documents/upload` together; more is answered 413 `file_too_large`.',
    ),
    max_upload_files: field(count.max(1000).default(100), 'Files in one upload request.'),
    max_query_characters: field(count.max(8000).default(8000), 'Longest question.'),
    max_top_k: field(
      count.max(200).default(200),
      'Most chunks a request may ask for (`top_k`); a question never gets more than 50.',
    ),
    max_filter_depth: field(count.max(8).default(8), 'Levels a metadata filter may nest.'),
    max_filter_conditions: field(count.max(64).default(64), 'Conditions of a metadata filter.'),
    max_metadata_characters: field(
      count.max(16 * 1024).default(16 * 1024),
      'A document’s metadata, in characters of JSON.',
    ),
    max_batch_ids: field(count.max(10_000).default(10_000), 'Ids of one `POST /api/documents/delete`.'),
    max_header_bytes: field(
      count.min(1024).default(16 * 1024),
      'Request line and headers of a request together; more is answered 431.',
    ),
    max_url_bytes: field(count.default(8 * 1024), 'Longest address of a request; more is answered 414.'),
    header_timeout_ms: field(
      count.default(20_000),
      'How long the headers of a request may take to arrive; then 408 and the connection is closed.',
    ),
    body_timeout_ms: field(
      count.default(120_000),
      'How long a body may take to arrive, of an upload each quarter of a megabyte; then 408.',
    ),
    max_connections: field(count.default(10_000), 'Open connections; one more is closed at once.'),
    tls_cert_file: field(
      optionalText.default(null),
      'Certificate (PEM, with what leads to its root) of the gateway’s HTTPS; with the key file, it speaks nothing else.',
    ),
    tls_key_file: field(optionalText.default(null), 'Private key (PEM) of that certificate.'),
    hsts_max_age_s: field(
      z.coerce.number().int().min(0).default(15_552_000),
      'With TLS: how long browsers shall come by HTTPS only (`Strict-Transport-Security`).',
    ),
    cors_origins: field(
      commaList.default([]),
      'Origins (`https://app.example.com`, comma-separated) whose pages may use the gateway; none by default, `*` for all.',
    ),
    hosts: field(
      commaList.default([]),
      'Names that a gateway on loopback answers to beside localhost and addresses, for requests without a key.',
    ),
    admin_host: field(z.string().min(1).default('127.0.0.1'), 'Address of `admin_port`.'),
    admin_port: field(
      port.default(0),
      'A port of their own for `/metrics` and every route with the scope `admin`, which then are not on `http.port`; 0: none.',
    ),
    drain_grace_ms: field(
      milliseconds.default(1000),
      'How long a gateway that stops still takes connections: answers say `Connection: close`, and balancers see that readiness is off.',
    ),
    reuse_port: field(
      onOrOff.default(false),
      'Several gateway processes may listen on `http.port`; the system shares the connections out (not on macOS).',
    ),
    probe_port: field(
      port.default(0),
      'Port on 127.0.0.1 for the probes and metrics of this one of several gateways; 0: none.',
    ),
  }),
  auth: z.strictObject({
    mode: field(
      z.enum(['auto', 'required', 'open']).default('auto'),
      'Whether a key is asked for. `auto`: from the first key on; before, only on a loopback address. `required`: always. `open`: never, whoever may reach the address.',
    ),
    pepper: field(
      optionalText
        .refine((text) => text === null || text.length >= 32, 'must have at least 32 characters')
        .default(null),
      'What the secrets of keys are hashed with; by default made at the first start, as `key-pepper` in the data folder. Gateways that share a registry need the same. With another one no key is known any more.',
      { secret: true },
    ),
  }),
  limits: z.strictObject({
    requests_per_minute: field(limit(), 'Requests of a key in a minute; 0: as many as it likes.'),
    burst: field(limit(), 'How many of them may come at once; 0: a minute’s worth.'),
    tokens_per_minute: field(limit(), 'Tokens of prompts and answers of a key in a minute; 0: no limit.'),
    tokens_per_day: field(limit(), 'The same in a day, which begins at midnight UTC; 0: no limit.'),
    concurrent_queries: field(
      limit(),
      'Queries and searches of a key that are under way at a time; 0: no limit.',
    ),
    documents: field(limit(), 'Documents a tenant may have stored; 0: no limit.'),
    bytes: field(limit(), 'Bytes of their originals together; 0: no limit.'),
  }),
  ingest: z.strictObject({
    chunk_size: field(
      count.min(16).max(512).default(256),
      'Tokens of a chunk at most; clamped to what the encoder takes.',
    ),
    chunk_overlap: field(
      z.coerce.number().int().min(0).max(256).default(32),
      'Tokens two neighbouring chunks share.',
    ),
    group_size: field(count.max(256).default(16), 'Chunks embedded and stored as one unit.'),
    groups_in_flight: field(count.max(64).default(4), 'Groups of one document under way at a time.'),
    slots: field(count.default(32), 'Documents one ingest worker works on at a time.'),
    chunking_strategy: field(
      z.enum(['structure', 'sentence', 'fixed']).default('structure'),
      'Where texts are cut: at headings, paragraphs and sentences; at sentences only; by tokens only.',
    ),
    parser_memory_mb: field(
      count.min(128).default(1536),
      'Memory (RSS) of each of at most three processes that parse documents; above it, it is ended and its document fails.',
    ),
    parser_timeout_ms: field(milliseconds.default(600_000), 'Longest time one document may be parsed.'),
    max_pages: field(count.default(20_000), 'Pages (slides, sheets) of one document.'),
    max_text_characters: field(
      count.default(256 * 1024 * 1024),
      'Characters of one document’s extracted text.',
    ),
    max_expanded_bytes: field(
      count.default(1024 * 1024 * 1024),
      'What the entries of a compressed format (DOCX, EPUB …) may unpack to.',
    ),
    max_archive_entries: field(count.default(20_000), 'Entries of a compressed format.'),
    sweep_ms: field(
      milliseconds.default(5000),
      'How often jobs that the queue has lost are looked for and queued again.',
    ),
    job_history_days: field(count.default(30), 'How long ended jobs are listed.'),
  }),
  registry: z.strictObject({
    database_url: field(
      optionalText.default(null),
      'PostgreSQL for the registry (`postgres://…`); SQLite in the data folder when empty.',
      { env: ['DATABASE_URL'], secret: true },
    ),
    audit_log_days: field(
      count.default(400),
      'How long acts of administrators are kept (`GET /api/audit-log`).',
    ),
  }),
  webhooks: z.strictObject({
    allow: field(
      commaList.default([]),
      'Hosts, addresses or networks (`10.0.0.0/8`) that webhooks may go to although they are not public, comma-separated. They may also be http.',
    ),
    max_attempts: field(count.max(100).default(12), 'Attempts before a delivery is given up.'),
    timeout_ms: field(milliseconds.default(15_000), 'How long one delivery may take.'),
  }),
} as const;

export type SectionName = keyof typeof sections;

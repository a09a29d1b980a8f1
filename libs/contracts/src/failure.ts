/**
 * The closed list of ways a job can end badly. A code knows whether trying the same thing again makes
 * sense, which HTTP status it is, and what a person reads. Stages reject with a code; the gateway turns
 * it into `application/problem+json`; dead letters and metrics carry it as a label.
 */
export const failures = {
  invalid_envelope: { status: 422, mayRetry: false, title: 'The job envelope could not be read' },
  unsupported_version: { status: 422, mayRetry: false, title: 'The job envelope has an unknown version' },
  envelope_too_large: { status: 413, mayRetry: false, title: 'The job envelope is too large' },
  collection_not_found: { status: 404, mayRetry: false, title: 'There is no such collection' },
  embedding_mismatch: {
    status: 409,
    mayRetry: false,
    title: 'The collection was built with another embedding model',
  },
  deadline_exceeded: {
    status: 504,
    mayRetry: false,
    title: 'The deadline passed before the answer was ready',
  },
  cancelled: { status: 499, mayRetry: false, title: 'The job was cancelled' },
  poison: { status: 500, mayRetry: false, title: 'The job ended its worker too often' },
  attempts_exhausted: { status: 502, mayRetry: true, title: 'The job failed on every attempt' },
  generator_failed: { status: 502, mayRetry: true, title: 'The language model did not answer' },
  empty_document: { status: 422, mayRetry: false, title: 'The document has no text' },
  no_text_layer: { status: 422, mayRetry: false, title: 'The document is a picture of text, without text' },
  encrypted_document: { status: 422, mayRetry: false, title: 'The document is locked by a password' },
  encrypted_pdf: { status: 422, mayRetry: false, title: 'The PDF is locked by a password' },
  corrupt_file: { status: 422, mayRetry: false, title: 'The file is damaged or not what its name says' },
  unsupported_type: { status: 415, mayRetry: false, title: 'Files of this type are not read' },
  parse_limits_exceeded: {
    status: 422,
    mayRetry: false,
    title: 'Reading the document takes more than one document may',
  },
  original_missing: { status: 500, mayRetry: false, title: 'The uploaded file is no longer there' },
  internal: { status: 500, mayRetry: true, title: 'Something went wrong inside Vortex' },
} as const satisfies Record<string, { status: number; mayRetry: boolean; title: string }>;

export type FailureCode = keyof typeof failures;

export const failureCodes = Object.keys(failures) as [FailureCode, ...FailureCode[]];

/** Thrown by a stage (or what it calls) when it knows better than "unexpected": permanent codes are not retried. */
export class StageFailure extends Error {
  readonly code: FailureCode;
  readonly mayRetry: boolean;

  constructor(code: FailureCode, message: string, options: { mayRetry?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StageFailure';
    this.code = code;
    this.mayRetry = options.mayRetry ?? failures[code].mayRetry;
  }
}

import type { ChatMessage } from '@vortex/contracts';
import type { TraceCarrier } from '@vortex/observability';

/** Port to a language model; an adapter is a protocol spoken over HTTP. */
export interface ModelClient {
  readonly provider: 'ollama' | 'openai';
  readonly model: string;
  /**
   * Streams one answer: `onText` is called with each piece of it as it arrives, then the promise resolves.
   * @throws ModelFailure always, whatever went wrong; nothing of the connection is left open then.
   */
  generate(request: ModelRequest, onText: (text: string) => void): Promise<ModelEnd>;
  /** Closes idle connections; running generations are aborted. */
  close(): Promise<void>;
}

export interface ModelRequest {
  messages: readonly ChatMessage[];
  maxTokens: number;
  temperature: number;
  /** Aborting it aborts the HTTP request at once. */
  signal: AbortSignal;
  /** W3C trace context of the call, for a model server that continues it. */
  trace?: TraceCarrier | undefined;
  /** For the whole answer, not for silence between two tokens: a cold model may think for minutes. */
  timeoutMs: number;
}

export interface ModelEnd {
  /** `length`: the token limit cut the answer. */
  finish: 'stop' | 'length';
  /** Null when the server does not say. */
  promptTokens: number | null;
  completionTokens: number | null;
}

/** Also the label of the metric `rag_llm_requests_total`. */
export type ModelFailureKind =
  /** The server refused the request itself: key, model name, form. The same request will fail again. */
  | 'client_error'
  | 'rate_limited'
  | 'server_error'
  | 'timeout'
  | 'connect'
  /** Not the protocol's form, too large, or ended before its end mark. */
  | 'malformed'
  | 'aborted'
  /** Given up because other replicas are faster by far. */
  | 'late';

/** A failed generation. Its message is fit for a person and never holds the API key. */
export class ModelFailure extends Error {
  readonly kind: ModelFailureKind;
  readonly status: number | null;
  /** What the server asked for with `Retry-After`. */
  readonly retryAfterMs: number | null;

  constructor(
    kind: ModelFailureKind,
    message: string,
    more: { status?: number; retryAfterMs?: number | null; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'ModelFailure';
    this.kind = kind;
    this.status = more.status ?? null;
    this.retryAfterMs = more.retryAfterMs ?? null;
  }

  /** Whether the same request may succeed later or elsewhere. */
  get mayRetry(): boolean {
    return this.kind !== 'client_error' && this.kind !== 'aborted';
  }
}

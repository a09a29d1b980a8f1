import { type DestinationStream, type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino';
import pretty from 'pino-pretty';

/** What rooms log through. One JSON line per event; ids are fields, never parts of the message. */
export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'level'> & {
  /** `redact: []`: for lines of fixed fields that cannot hold a secret; looking for some is 10 µs a line. */
  child(bindings: Record<string, unknown>, options?: { redact: [] }): Logger;
};

interface LoggerOptions {
  service: string;
  workerName?: string;
  level?: string;
  /** `auto`: for people where standard output is a terminal. */
  format?: 'auto' | 'json' | 'pretty';
  /** Standard output when absent. */
  destination?: DestinationStream;
}

/** Values under these names never reach a log, wherever they stand. */
const redacted = [
  'authorization',
  'api_key',
  'apiKey',
  'openai_api_key',
  'qdrant_api_key',
  'password',
  'cookie',
];

export function createLogger(options: LoggerOptions): Logger {
  const { format = 'json' } = options;
  const isForPeople = format === 'pretty' || (format === 'auto' && process.stdout.isTTY);
  const stream = isForPeople ? pretty({ colorize: true, sync: true }) : options.destination;
  const settings = {
    level: options.level ?? 'info',
    base: { service: options.service, ...(options.workerName && { worker: options.workerName }) },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: redacted.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '••••' },
  };
  return stream === undefined ? pino(settings) : pino(settings, stream);
}

/** For tests and for libraries whose caller passed no logger. */
export const silentLogger: Logger = pino({ level: 'silent' });

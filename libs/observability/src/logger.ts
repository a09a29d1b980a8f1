import { type DestinationStream, destination, type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino';
import pretty from 'pino-pretty';
import { redacting } from './redacting-stream.ts';

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
  /** Of the configuration: never written, whatever holds them. */
  secrets?: readonly string[];
}

/** Values under these names never reach a log, wherever they stand. */
const redacted = [
  'authorization',
  'api_key',
  'apiKey',
  'openai_api_key',
  'qdrant_api_key',
  'password',
  'pepper',
  'secret',
  'cookie',
];

export function createLogger(options: LoggerOptions): Logger {
  const { format = 'json' } = options;
  const isForPeople = format === 'pretty' || (format === 'auto' && process.stdout.isTTY);
  const stream = isForPeople
    ? pretty({ colorize: true, sync: true })
    : (options.destination ?? destination({ dest: 1, sync: true }));
  const settings = {
    level: options.level ?? 'info',
    base: { service: options.service, ...(options.workerName && { worker: options.workerName }) },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: redacted.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '••••' },
  };
  return pino(settings, redacting(stream, options.secrets));
}

/** For tests and for libraries whose caller passed no logger. */
export const silentLogger: Logger = pino({ level: 'silent' });

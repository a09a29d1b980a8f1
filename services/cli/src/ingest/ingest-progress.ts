import { MultiBar, type Options, type Params, type SingleBar } from 'cli-progress';
import { duration } from '../duration.ts';
import type { Terminal } from '../terminal.ts';
import type { FoundFile } from './find-files.ts';
import type { FileProgress, IngestedFile } from './ingest-one.ts';

/** What a run of `ingest` shows while it lasts, on standard error. */
export interface IngestProgress {
  begin(file: FoundFile): FileProgress & { done(result: IngestedFile): void };
  /** Takes the bars away: what follows is the table. */
  end(): void;
}

/** Where a file is. Per cent is the job's own: committed work, 100 only when the document can be found. */
interface FileState {
  name: string;
  startedAt: number;
  percent: number;
  message: string;
  etaMs: number | null;
}

const plainEveryMs = 5000;

/** A bar for each file under way and one for all; where there is no terminal, lines. */
export function showIngestProgress(
  total: number,
  terminal: Terminal,
  output: NodeJS.WriteStream = process.stderr,
): IngestProgress {
  const drawn = output.isTTY === true && process.env.TERM !== 'dumb';
  const states = new Set<FileState>();
  let finished = 0;
  const view = drawn ? bars(output, states, () => ({ finished, total })) : lines(terminal, states);
  return {
    begin(file) {
      const state: FileState = {
        name: file.name,
        startedAt: performance.now(),
        percent: 0,
        message: 'opening',
        etaMs: null,
      };
      states.add(state);
      return {
        sent: (bytes, size) => {
          state.message = bytes === size ? 'sent' : `sending, ${megabytes(bytes)} of ${megabytes(size)} MB`;
        },
        held: (reason) => {
          state.message = `waiting: ${reason}`;
        },
        job: ({ progress, message, status, eta_ms }) => {
          state.percent = progress;
          state.message = message ?? status;
          state.etaMs = eta_ms;
        },
        done(result) {
          states.delete(state);
          finished += 1;
          view.done(`${finished}/${total} ${file.path}: ${outcomeOf(result)}`, result);
        },
      };
    },
    end: () => view.end(),
  };
}

/** `14 chunks`, or what went wrong. */
export function outcomeOf({ status, error, chunk_count }: IngestedFile): string {
  if (error !== null) return `${status}: ${error}`;
  const chunks = chunk_count === null ? '' : `${chunk_count} chunk${chunk_count === 1 ? '' : 's'}`;
  if (status === 'completed') return chunks || 'ready';
  return chunks === '' ? status.replace('_', ' ') : `${status}, ${chunks}`;
}

interface View {
  done(line: string, result: IngestedFile): void;
  end(): void;
}

function lines(terminal: Terminal, states: ReadonlySet<FileState>): View {
  const timer = setInterval(() => {
    for (const state of states) {
      if (performance.now() - state.startedAt < plainEveryMs) continue;
      terminal.note(`  ${state.name}: ${describe(state)}`);
    }
  }, plainEveryMs);
  return { done: (line) => terminal.note(`  ${line}`), end: () => clearInterval(timer) };
}

/** As many bars as were ever under way at once; a bar takes the next file when its own has ended. */
function bars(
  output: NodeJS.WriteStream,
  states: ReadonlySet<FileState>,
  count: () => { finished: number; total: number },
): View {
  const startedAt = performance.now();
  const multi = new MultiBar({
    stream: output,
    clearOnComplete: true,
    hideCursor: true,
    // Ctrl-C is the command's: it has a table to print.
    gracefulExit: false,
    format: (_options: Options, _params: Params, payload: { line?: () => string }) =>
      (payload.line?.() ?? '').slice(0, Math.max(20, (output.columns || 80) - 1)),
    // Bars know nothing of what they show; every frame asks.
    forceRedraw: true,
  });
  const slots: { bar: SingleBar; shown: FileState | null }[] = [];
  const all = multi.create(1, 0, { line: totalLine });
  function totalLine(): string {
    const { finished, total } = count();
    const begun = [...states].reduce((sum, { percent }) => sum + percent / 100, 0);
    const part = total === 0 ? 1 : (finished + begun) / total;
    const spentMs = performance.now() - startedAt;
    const left = part > 0.01 && part < 1 ? `, ${duration((spentMs * (1 - part)) / part)} left` : '';
    return `  ${barOf(part)} ${finished} of ${total} files${left}`;
  }
  multi.on('update-pre', () => {
    for (const slot of slots) if (slot.shown !== null && !states.has(slot.shown)) slot.shown = null;
    const shown = new Set(slots.map((slot) => slot.shown));
    for (const state of states) {
      if (shown.has(state)) continue;
      const free = slots.find((slot) => slot.shown === null);
      if (free !== undefined) free.shown = state;
      else slots.push(newSlot(state));
    }
  });
  function newSlot(state: FileState) {
    const slot: { bar: SingleBar; shown: FileState | null } = { bar: all, shown: state };
    const line = () =>
      slot.shown === null
        ? ''
        : `  ${barOf(slot.shown.percent / 100)} ${slot.shown.name}: ${describe(slot.shown)}`;
    slot.bar = multi.create(100, 0, { line });
    return slot;
  }
  return {
    done: (line, { status }) => {
      if (status === 'failed') multi.log(`  ${line}\n`);
    },
    end: () => multi.stop(),
  };
}

const barLetters = 24;

function barOf(part: number): string {
  const full = Math.round(barLetters * Math.min(1, Math.max(0, part)));
  return '█'.repeat(full) + '░'.repeat(barLetters - full);
}

function describe({ percent, message, etaMs }: FileState): string {
  const left = etaMs === null ? '' : `, ${duration(etaMs)} left`;
  return `${Math.floor(percent)} %, ${message}${left}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

import type { Consumer } from '@vortex/queue';

/**
 * The last delivery of a job that may be poison is run alone, so that nobody dies with it a third time.
 *
 * When a worker dies, everything it had in hand comes back with one more delivery on its account: the job that killed
 * it and those that only were there. Where one worker serves a list they meet again, and after three deaths all of
 * them would be dead letters (measured: a job that kills the only worker took the other seven of eight slots with it).
 * So a job that comes for the last time waits until nothing else is in flight in this process:
 *
 *   open ──a suspect enters──► gathering ──nothing else in flight──► alone ──it has ended, or lived `aloneMs`──► open
 *
 * Gathering, no lane claims, what comes in goes back unblamed, what runs may finish within `patienceMs` and then goes
 * back unblamed too. A suspect that lives on is no longer taken for one that kills at once: the others go on beside it.
 */
export interface Isolation {
  /** Somebody gathers or is alone: what is to begin now goes back instead. */
  isTaken(): boolean;
  /** Only when it is not taken; `begin` is called once the suspect is alone. */
  enter(begin: () => void): void;
  stop(): void;
}

interface IsolationOptions {
  /** All of the process; asked each time, for they are made after this. */
  consumers: () => Pick<Consumer, 'pause' | 'resume' | 'held'>[];
  /** Interrupts what runs, and gives its jobs back unblamed. */
  giveBackRunning: () => void;
  patienceMs?: number;
  aloneMs?: number;
}

const lookMs = 10;

export function createIsolation(options: IsolationOptions): Isolation {
  const { consumers, giveBackRunning, patienceMs = 5000, aloneMs = 10_000 } = options;
  let begin: (() => void) | undefined;
  let state: 'open' | 'gathering' | 'alone' = 'open';
  let since = 0;
  let hasGivenBack = false;
  let timer: NodeJS.Timeout | undefined;

  const held = () => consumers().reduce((sum, consumer) => sum + consumer.held(), 0);
  const age = () => performance.now() - since;

  function look(): void {
    if (state === 'gathering' && held() <= 1) {
      state = 'alone';
      since = performance.now();
      begin?.();
    } else if (state === 'gathering' && age() > patienceMs && !hasGivenBack) {
      hasGivenBack = true;
      giveBackRunning();
    } else if (state === 'alone' && (held() === 0 || age() > aloneMs)) {
      open();
    }
  }

  function open(): void {
    clearInterval(timer);
    state = 'open';
    begin = undefined;
    for (const consumer of consumers()) consumer.resume();
  }

  return {
    isTaken: () => state !== 'open',
    enter(whenAlone) {
      state = 'gathering';
      since = performance.now();
      hasGivenBack = false;
      begin = whenAlone;
      for (const consumer of consumers()) consumer.pause();
      timer = setInterval(look, lookMs);
    },
    stop: () => clearInterval(timer),
  };
}

import { keys } from '../keys.ts';
import { Actors } from './actors.ts';
import { Dice } from './dice.ts';
import { Laws } from './laws.ts';
import { QueueModel } from './model.ts';
import { type Call, homeLists, inFlightOf, replicas, workers } from './universe.ts';

/**
 * A game: what a seed makes the actors send, in the order Redis gets it. Chosen before Redis has seen any of it, by
 * the model alone: where Redis answers or looks otherwise than the model, the game ends there.
 */
export function gameOf(seed: number, steps: number): Call[] {
  const dice = new Dice(seed);
  const model = new QueueModel();
  const laws = new Laws(model);
  const actors = new Actors(model, dice);
  const game: Call[] = [];
  /** What somebody may send again, because the reply was lost or it was frozen in between. */
  const mayRepeat: Call[] = [];
  /** Ids whose submitter waits: one that Redis lost is submitted again. */
  const waiting = new Set<string>();

  function send(calls: Call[]): void {
    for (const call of calls) {
      const reply = model.apply(call);
      laws.broken(call, reply);
      game.push(call);
      if (!('script' in call)) continue;
      // A question's end is told once; and `overdue` looks at what lapsed this very millisecond.
      if (call.script !== 'overdue') mayRepeat.push(call);
      if (mayRepeat.length > 60) mayRepeat.shift();
      const isAdmitted = call.script === 'admit' || call.script === 'admit-owed';
      if (isAdmitted && reply === 'OK') waiting.add(call.args[0] ?? '');
    }
  }

  function resubmitLost(): void {
    for (const id of waiting) {
      if (model.text(keys.completion(id)) !== undefined) waiting.delete(id);
      else if (laws.elementsOf(id) === 0) send(actors.admit(id));
    }
  }

  const choices: [weight: number, choose: () => Call[]][] = [
    [16, () => actors.admit()],
    [4, () => actors.admitMany()],
    [4, () => actors.admitOwed()],
    [6, () => actors.beat()],
    [20, () => actors.claim()],
    [24, () => actors.settle()],
    [10, () => actors.run()],
    [9, () => again(dice.pick(mayRepeat))],
    [6, () => actors.passTime()],
    [5, () => actors.reap()],
    [4, () => actors.promote()],
    [3, () => actors.deadLetters()],
    [2, () => actors.expire()],
    [2, () => actors.drain()],
    [2, () => actors.sweepReplicas()],
    [2, () => actors.adoptOrphans()],
    [2, () => actors.forget()],
    [1, () => actors.cancel()],
    [1, () => actors.readInbox()],
    [1, () => actors.look()],
    [1, () => actors.sweepActive()],
    [1, () => actors.pushByHand()],
    [4, () => actors.obstruct()],
    [0.3, () => actors.wipe()],
  ];
  const total = choices.reduce((sum, [weight]) => sum + weight, 0);

  while (game.length < steps) {
    let left = dice.roll() * total;
    for (const [weight, choose] of choices) {
      left -= weight;
      if (left > 0) continue;
      send(choose());
      break;
    }
    if (dice.chance(0.05)) resubmitLost();
  }
  bringToAnEnd();
  return game;

  /** The workers of the game are gone; others come, and all that is to end ends. */
  function bringToAnEnd(): void {
    send(actors.clear());
    resubmitLost();
    send(actors.adoptOrphans());
    send(actors.passAllTime([keys.workers, keys.replicas, ...homeLists.map((list) => keys.retry(list))]));
    for (const place of inFlightOf) if (model.list(place.key).length > 0) send(actors.reap(place));
    send(actors.sweepReplicas());
    for (const worker of workers) send(actors.beat(worker));
    for (let round = 0; round < 10 && laws.left() !== null; round += 1) {
      send(actors.promote());
      for (const worker of workers) {
        if (worker.lists.some((list) => model.list(list).length > 0)) send(actors.claim(worker, 20));
      }
      while (inFlightOf.some(({ key }) => model.list(key).length > 0)) send(actors.settle(true));
      send(actors.passAllTime(replicas.map(({ url }) => keys.leases(url))));
      for (const worker of workers) if (worker.replica !== undefined) send(actors.beat(worker));
      send(actors.sweepActive());
    }
  }
}

function again(call: Call | undefined): Call[] {
  return call === undefined ? [] : [call];
}

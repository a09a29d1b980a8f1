import { keys } from '../keys.ts';
import type { ModelReply, QueueModel } from './model.ts';
import {
  allIds,
  bareIds,
  type Call,
  homeLists,
  idOf,
  inFlightOf,
  replicas,
  waitingLists,
} from './universe.ts';

/**
 * What must be true after every step, whoever did it and however often:
 *
 * 1. Elements are conserved. An id's elements (in lists, in flight, in retry sets) become more only by admission,
 *    a redrive or an outsider's push, one at a time, and fewer only by an acknowledged end: so an admitted id is in exactly
 *    one place until it ends. Nothing but a wipe loses one.
 * 2. A completion appears with an end, keeps its first value, and goes only with its time or a redrive.
 * 3. Live ids are those with an element (an overdue one that was counted out, and one that an outsider pushed
 *    and nobody began yet, have an element and are not live).
 * 4. A replica's load is the number of its leases.
 * 5. Tracked and open is active, active is tracked and open.
 * 6. A list in flight keeps its worker's entry in the register: none is forgotten with work in hand.
 */
export class Laws {
  readonly #model: QueueModel;
  #elements = new Map<string, number>();
  #completions = new Map<string, string>();
  #registered = new Set<string>();
  /** Elements that need not be live: counted out as overdue, or pushed by hand. */
  readonly #uncounted = new Set<string>();
  /** Two elements of one id have been seen: admitted anew while the overdue one still lay about. */
  readonly #twice = new Set<string>();
  /** Hashes that somebody wrote for a job that was not there (any more): they go with their time. */
  readonly #ghosts = new Set<string>();

  constructor(model: QueueModel) {
    this.#model = model;
  }

  /** Elements of an id, anywhere. */
  elementsOf(id: string): number {
    return this.#elements.get(id) ?? 0;
  }

  /** After the model has carried `call` out: what is broken, or null. */
  broken(call: Call, reply: ModelReply): string | null {
    const before = this.#elements;
    this.#elements = this.#count();
    if ('command' in call && call.command === 'FLUSHDB') {
      for (const marks of [this.#uncounted, this.#twice, this.#ghosts, this.#registered]) marks.clear();
      this.#completions = new Map();
      return null;
    }
    return (
      this.#conserved(call, reply, before) ??
      this.#completed(call, reply) ??
      this.#live(call, reply) ??
      this.#loads() ??
      this.#active(call, reply) ??
      this.#register()
    );
  }

  /** After everything was brought to its end: what is left that should not be. */
  left(): string | null {
    const model = this.#model;
    for (const list of [...waitingLists, ...inFlightOf.map(({ key }) => key)]) {
      if (model.list(list).length > 0) return `${list} still holds ${model.list(list)}`;
    }
    for (const list of homeLists) {
      if (model.times(keys.retry(list)).size > 0) return `${keys.retry(list)} is not empty`;
    }
    for (const key of [keys.live('interactive'), keys.live('low')]) {
      if (model.times(key).size > 0) return `${key} still holds ${[...model.times(key).keys()]}`;
    }
    for (const { url } of replicas) {
      if (model.times(keys.leases(url)).size > 0) return `${keys.leases(url)} is not empty`;
    }
    const open = [...model.set(keys.active)].filter((id) => !this.#ghosts.has(id));
    return open.length > 0 ? `${keys.active} still holds ${open}` : null;
  }

  #count(): Map<string, number> {
    const count = new Map<string, number>();
    const add = (element: string) => count.set(idOf(element), (count.get(idOf(element)) ?? 0) + 1);
    for (const list of waitingLists) this.#model.list(list).forEach(add);
    for (const { key } of inFlightOf) this.#model.list(key).forEach(add);
    for (const list of homeLists) {
      for (const element of this.#model.times(keys.retry(list)).keys()) add(element);
    }
    return count;
  }

  #conserved(call: Call, reply: ModelReply, before: Map<string, number>): string | null {
    for (const id of allIds) {
      const was = before.get(id) ?? 0;
      const is = this.elementsOf(id);
      const due = was + comes(call, reply, id) - goes(call, reply, id);
      // Bare ids look alike: a second one that is put aside joins the first in the retry set.
      const joined = 'script' in call && call.script === 'retry' && bareIds.includes(id) && was === 2;
      if (is !== due && !(joined && is === 1)) return `${id} had ${was} elements, and has ${is} for ${due}`;
      if (is > 1) this.#twice.add(id);
      if (is === 0) {
        this.#twice.delete(id);
        this.#uncounted.delete(id);
      }
    }
    return null;
  }

  #completed(call: Call, reply: ModelReply): string | null {
    const now = new Map<string, string>();
    for (const id of allIds) {
      const value = this.#model.text(keys.completion(id));
      const was = this.#completions.get(id);
      const timeIsUp = 'command' in call && call.command === 'DEL' && call.args.includes(keys.completion(id));
      const forgotten =
        'script' in call && call.script === 'redrive' && reply === 'OK' && call.args[2] === id;
      if (was !== undefined && value !== was && !timeIsUp && !(forgotten && value === undefined))
        return `the completion of ${id} changed: ${was}, ${value}`;
      if (value !== undefined) now.set(id, value);
    }
    this.#completions = now;
    return null;
  }

  #live(call: Call, reply: ModelReply): string | null {
    if ('command' in call) {
      if (call.command === 'RPUSH' && reply !== 'WRONGTYPE') this.#uncounted.add(idOf(call.args[1] ?? ''));
    } else if (reply === 'OK' && call.script === 'expire-one') this.#uncounted.add(call.args[0] ?? '');
    for (const id of allIds) {
      const lane = bareIds.includes(id) ? 'low' : 'interactive';
      const isLive = this.#model.times(keys.live(lane)).has(id);
      const has = this.elementsOf(id) > 0;
      if (isLive && !has) return `${id} is live and has no element`;
      if (has && !isLive && !this.#uncounted.has(id) && !this.#twice.has(id)) {
        return `${id} has an element and is not live`;
      }
    }
    return null;
  }

  #loads(): string | null {
    for (const { url } of replicas) {
      const load = this.#model.text(keys.load(url)) ?? '0';
      const held = this.#model.times(keys.leases(url)).size;
      if (load !== String(held)) return `the load of ${url} is ${load}, its leases are ${held}`;
    }
    return null;
  }

  #active(call: Call, reply: ModelReply): string | null {
    for (const id of allIds) {
      const status = this.#model.hash(keys.job(id)).get('status');
      const isOpen = status !== undefined && !['completed', 'failed', 'cancelled'].includes(status);
      const isActive = this.#model.set(keys.active).has(id);
      const has = this.elementsOf(id) > 0;
      // A late `begin` of a job whose hash is gone, `expire-one` of one whose completion stands.
      if (isOpen && !has) this.#ghosts.add(id);
      if (!isOpen) this.#ghosts.delete(id);
      if (isActive && !isOpen && status !== undefined) return `${id} is active and ${status}`;
      if (isOpen && !isActive && !this.#uncounted.has(id) && !this.#twice.has(id) && !this.#ghosts.has(id)) {
        return `${id} is ${status} and not active (after ${JSON.stringify([call, reply])})`;
      }
    }
    return null;
  }

  #register(): string | null {
    const now = new Set<string>();
    for (const { key, member } of inFlightOf) {
      const has = this.#model.times(keys.workers).has(member);
      if (has) now.add(member);
      else if (this.#registered.has(member) && this.#model.list(key).length > 0) {
        return `${member} left the register with ${this.#model.list(key)} in flight`;
      }
    }
    this.#registered = now;
    return null;
  }
}

/** Elements of an id that a call brings in. */
function comes(call: Call, reply: ModelReply, id: string): number {
  if ('command' in call) {
    return call.command === 'RPUSH' && typeof reply === 'number' && idOf(call.args[1] ?? '') === id ? 1 : 0;
  }
  if (call.script === 'redrive') return reply === 'OK' && call.args[2] === id ? 1 : 0;
  if (call.script === 'admit' || call.script === 'admit-owed')
    return reply === 'OK' && call.args[0] === id ? 1 : 0;
  if (call.script !== 'admit-many') return 0;
  return each(call.args.slice(3), 4, reply).filter(([entry, said]) => entry[0] === id && said === 'OK')
    .length;
}

/** Elements of an id that a call ends. */
function goes(call: Call, reply: ModelReply, id: string): number {
  if ('command' in call) return 0;
  if (call.script === 'bury') return reply === 'OK' && call.args[2] === id ? 1 : 0;
  if (call.script !== 'finish') return 0;
  return each(call.args, 4, reply).filter(([entry, said]) => entry[1] === id && said === 'OK').length;
}

function each(args: readonly string[], size: number, reply: ModelReply): [readonly string[], ModelReply][] {
  return Array.from({ length: args.length / size }, (_, place) => [
    args.slice(place * size, (place + 1) * size),
    Array.isArray(reply) ? (reply[place] ?? '') : reply,
  ]);
}

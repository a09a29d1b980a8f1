import type { ScriptName } from '../scripts.ts';
import { type Call, kindOf } from './universe.ts';

/**
 * What every script answers and leaves behind, said a second time: in TypeScript, over plain maps. It knows no
 * clock: a time is a number relative to now, and only its sign and its order count. One piece, over 300 lines: each
 * script is one entry, and reads beside its Lua file.
 */
export type ModelReply = string | number | ModelReply[];
type ScriptModel = (keys: readonly string[], args: readonly string[]) => ModelReply;

/** A lease that was given up: it has lapsed, but `overdue` may not see it within the same millisecond. */
export const justNow = -0.5;
const wrongType = Symbol('wrong type');
const sign = (time: number) => (time > 0 ? '+' : '-');
/** Arguments are epoch times far from now on either side. */
const relative = (epochMs: string) => Number(epochMs) - 2_000_000_000_000;

export class QueueModel {
  readonly #lists = new Map<string, string[]>();
  readonly #times = new Map<string, Map<string, number>>();
  readonly #sets = new Map<string, Set<string>>();
  readonly #hashes = new Map<string, Map<string, string>>();
  readonly #texts = new Map<string, string>();
  readonly #obstacles = new Set<string>();

  list(key: string): string[] {
    return made(this.#lists, key, () => []);
  }
  times(key: string): Map<string, number> {
    return made(this.#times, key, () => new Map());
  }
  set(key: string): Set<string> {
    return made(this.#sets, key, () => new Set());
  }
  hash(key: string): Map<string, string> {
    return made(this.#hashes, key, () => new Map());
  }
  text(key: string): string | undefined {
    return this.#texts.get(key);
  }
  obstacles(): string[] {
    return [...this.#obstacles];
  }

  /** As lua/proof/state.lua tells it: a text for each of these keys, then the number of all. */
  state(keys: readonly string[]): string[] {
    const out = keys.map((key) => this.#render(kindOf.get(key)?.toLowerCase() ?? '', key));
    let number = this.#texts.size + this.#obstacles.size;
    for (const list of this.#lists.values()) if (list.length > 0) number += 1;
    for (const store of [this.#times, this.#sets, this.#hashes]) {
      for (const entries of store.values()) if (entries.size > 0) number += 1;
    }
    out.push(String(number));
    return out;
  }

  #render(kind: string, key: string): string {
    if (this.#obstacles.has(key)) return '(obstacle)';
    if (kind === 'l') return (this.#lists.get(key) ?? []).join('\n');
    if (kind === 't') return this.#texts.get(key) ?? '';
    if (kind === 's') return [...(this.#sets.get(key) ?? [])].sort().join('\n');
    if (kind === 'z') {
      return [...(this.#times.get(key) ?? [])]
        .map(([member, time]) => `${member} ${sign(time)}`)
        .sort()
        .join('\n');
    }
    return [...(this.#hashes.get(key) ?? [])]
      .map(([name, value]) => `${name}=${name === 'until' || name === 'beat' ? sign(Number(value)) : value}`)
      .sort()
      .join('\n');
  }

  /** Carries a call out and answers it as Redis must. */
  apply(call: Call): ModelReply {
    try {
      return 'script' in call ? this.#run(call.script)(call.keys, call.args) : this.#command(call);
    } catch (error) {
      if (error === wrongType) return 'WRONGTYPE';
      throw error;
    }
  }

  #run(name: ScriptName): ScriptModel {
    const script = this.#scripts[name];
    if (script === undefined) throw new Error(`${name} is not in the model (interleavings-1)`);
    return script;
  }

  #command({ command, args: [key = '', ...rest] }: Extract<Call, { command: string }>): ModelReply {
    switch (command) {
      case 'FLUSHDB':
        for (const store of [this.#lists, this.#times, this.#sets, this.#hashes, this.#texts]) store.clear();
        this.#obstacles.clear();
        return 'OK';
      case 'SET':
        if (this.list(key).length + this.times(key).size === 0) this.#obstacles.add(key);
        return 'OK';
      case 'DEL':
        return this.#texts.delete(key) || this.#obstacles.delete(key) ? 1 : 0;
      case 'RPUSH':
        this.#reach(key);
        return this.list(key).push(...rest);
      case 'LPOP':
        return this.list(key).splice(0, Number(rest[0]));
      case 'ZADD': {
        const [time = '', member = ''] = rest;
        if (this.times(key).has(member)) this.times(key).set(member, relative(time));
        return 0;
      }
    }
  }

  /** Where a script comes to touch a key: an outsider may have put something else there. */
  #reach(key: string): void {
    if (this.#obstacles.has(key)) throw wrongType;
  }

  // ── what the includes do ────────────────────────────────────────────────────────────────────

  #mirrorLoad(leases: string, load: string): void {
    this.#texts.set(load, String(this.times(leases).size));
  }

  #releaseLease(leases: string, load: string, id: string): void {
    if (leases !== '' && this.times(leases).delete(id)) this.#mirrorLoad(leases, load);
  }

  #dropPassed(key: string): void {
    for (const [member, time] of this.times(key)) if (time <= 0) this.times(key).delete(member);
  }

  #track(job: string, fields: string): void {
    if (job === '') return;
    for (const [name, value] of Object.entries(JSON.parse(fields) as Record<string, string | null>)) {
      if (value === null) this.hash(job).delete(name);
      else this.hash(job).set(name, value);
    }
  }

  /** As in includes/dead-list.lua; a game buries too little for its limits. */
  #addLetter(dead: string, size: string, letter: string): void {
    this.#reach(dead);
    this.list(dead).push(letter);
    this.#countLetters(dead, size);
  }

  #removeLetter(dead: string, size: string, letter: string): number {
    if (!this.list(dead).includes(letter)) return 0;
    removeFirst(this.list(dead), letter);
    this.#countLetters(dead, size);
    return 1;
  }

  #countLetters(dead: string, size: string): void {
    const letters = this.list(dead);
    if (letters.length === 0) this.hash(size).clear();
    else {
      const bytes = letters.reduce((sum, letter) => sum + Buffer.byteLength(letter), 0);
      this.#write(size, ['letters', String(letters.length), 'bytes', String(bytes)]);
    }
  }

  #hasEnded(job: string): boolean {
    return ['completed', 'failed', 'cancelled'].includes(this.hash(job).get('status') ?? '');
  }

  /** SET NX. */
  #complete(key: string, value: string): boolean {
    if (this.#texts.has(key)) return false;
    this.#texts.set(key, value);
    return true;
  }

  #isAlive(register: string, member: string): boolean {
    return (this.times(register).get(member) ?? justNow) > 0;
  }

  // ── the scripts ─────────────────────────────────────────────────────────────────────────────

  readonly #scripts: Partial<Record<ScriptName, ScriptModel>> = {
    admit: (keys, args) => {
      const [live = '', list = '', shared = '', job = '', active = '', recent = ''] = keys;
      const [id = '', deadline = '', cap, opening = '', element = '', fields = ''] = args;
      const inChain = this.times(live);
      if (inChain.size >= Number(cap)) return inChain.has(id) ? 'DUP' : 'FULL';
      const tracked = fields !== '';
      if (!tracked && this.text(job) !== undefined) return 'DUP';
      if (inChain.has(id)) return 'DUP';
      inChain.set(id, relative(deadline));
      let best: { held: number; fragment: string; leases: string; load: string } | undefined;
      if (this.list(shared).length === 0) {
        for (let candidate = 0; 7 + candidate * 3 < keys.length; candidate += 1) {
          const [leases = '', load = '', replica = ''] = keys.slice(7 + candidate * 3);
          const [slots, , fragment = ''] = args.slice(6 + candidate * 3);
          const beaten = this.hash(replica);
          if (beaten.get('state') !== 'up' || Number(beaten.get('until') ?? 0) <= 0) continue;
          const held = [...this.times(leases).values()].filter((time) => time > 0).length;
          if (held < Number(slots) && (best === undefined || held < best.held)) {
            best = { held, fragment, leases, load };
          }
        }
      }
      if (best !== undefined) {
        this.#dropPassed(best.leases);
        this.times(best.leases).set(id, relative(deadline));
        this.#mirrorLoad(best.leases, best.load);
      }
      if (tracked) {
        if (this.hash(job).size === 0) this.list(recent).unshift(id);
        this.hash(job).clear();
        this.set(active).add(id);
        this.#write(job, JSON.parse(fields) as string[]);
      }
      if (this.#obstacles.has(list)) {
        inChain.delete(id);
        if (best !== undefined) this.#releaseLease(best.leases, best.load, id);
        if (tracked) {
          this.hash(job).clear();
          this.set(active).delete(id);
          removeFirst(this.list(recent), id);
        }
        throw wrongType;
      }
      this.list(list).push(opening + (best?.fragment ?? '') + element);
      return 'OK';
    },

    'admit-owed': ([live = '', list = '', completion = ''], [id = '', deadline = '', element = '']) => {
      const inChain = this.times(live);
      if (this.text(completion) !== undefined || inChain.has(id)) return 'DUP';
      this.#reach(list);
      inChain.set(id, relative(deadline));
      this.list(list).push(element);
      return 'OK';
    },

    'admit-many': (
      [live = '', list = '', active = '', recent = '', ...jobs],
      [cap, fields = '', , ...each],
    ) => {
      let free = Number(cap) - this.times(live).size;
      const taken: { id: string; job: string; payload: string }[] = [];
      const words = jobs.map((job, place) => {
        const [id = '', deadline = '', element = '', payload = ''] = each.slice(place * 4);
        if (this.times(live).has(id)) return 'DUP';
        if (free <= 0) return 'FULL';
        this.#reach(list);
        free -= 1;
        this.times(live).set(id, relative(deadline));
        this.list(list).push(element);
        taken.push({ id, job, payload });
        return 'OK';
      });
      for (const { id, job, payload } of taken) {
        this.set(active).add(id);
        if (this.hash(job).size === 0) this.list(recent).unshift(id);
        this.hash(job).clear();
        this.#write(job, [...(JSON.parse(fields) as string[]), 'id', id]);
        if (payload !== '') this.#write(job, ['payload', payload]);
      }
      return words.every((said) => said === 'OK') ? 'OK' : words;
    },

    claim: (sources, [want]) => {
      const out: ModelReply[] = [];
      for (let place = 0; place < sources.length; place += 2) {
        const [source = '', inFlight = ''] = sources.slice(place);
        while (out.length / 2 < Number(want)) {
          this.#reach(source);
          const element = this.list(source).shift();
          if (element === undefined) break;
          this.list(inFlight).push(element);
          out.push(place / 2, element);
        }
      }
      return out;
    },

    handoff: ([inFlight = '', next = ''], args) => {
      this.#reach(next);
      return together(
        pairs(args, 2).map(([old = '', element = '']) => {
          if (!removeFirst(this.list(inFlight), old)) return 'FENCED';
          this.list(next).push(element);
          return 'OK';
        }),
      );
    },

    finish: ([inFlight = '', live = '', inbox = '', leases = '', load = '', active = '', ...each], args) =>
      together(
        pairs(args, 4).map(([old = '', id = '', value = '', fields = ''], place) => {
          const [completion = '', job = ''] = each.slice(place * 2);
          if (!removeFirst(this.list(inFlight), old)) return 'FENCED';
          const stored = completion !== '' && this.#complete(completion, value);
          if (stored && inbox !== '') this.list(inbox).push(value);
          if (stored || completion === '' || old === id) this.#track(job, fields);
          if (job !== '') this.set(active).delete(id);
          this.times(live).delete(id);
          this.#releaseLease(leases, load, id);
          return 'OK';
        }),
      ),

    retry: ([inFlight = '', retry = '', job = '', leases = '', load = ''], args) => {
      const [old = '', element = '', delayMs, id = '', fields = ''] = args;
      if (!this.list(inFlight).includes(old)) return 'FENCED';
      this.#reach(retry);
      removeFirst(this.list(inFlight), old);
      this.times(retry).set(element, Number(delayMs));
      this.#releaseLease(leases, load, id);
      this.#track(job, fields);
      return 'OK';
    },

    promote: ([retry = '', list = ''], [limit]) => {
      this.#reach(retry);
      const due = [...this.times(retry)]
        .filter(([, time]) => time <= 0)
        .sort(([, left], [, right]) => left - right)
        .slice(0, Number(limit));
      if (due.length > 0) this.#reach(list);
      for (const [element] of due) {
        this.times(retry).delete(element);
        this.list(list).push(element);
      }
      return due.length;
    },

    bury: (keys, [old = '', letter = '', id = '', value = '', fields = '', member = '']) => {
      const [inFlight = '', dead = '', completion = '', live = '', inbox = '', job = ''] = keys;
      const [leases = '', load = '', workers = '', active = '', size = ''] = keys.slice(6);
      if (member !== '' && this.#isAlive(workers, member)) return 'ALIVE';
      if (!this.list(inFlight).includes(old)) return 'FENCED';
      this.#addLetter(dead, size, letter);
      removeFirst(this.list(inFlight), old);
      if (id === '') return 'OK';
      const stored = this.#complete(completion, value);
      if (stored && inbox !== '') this.list(inbox).push(value);
      if (stored || old === id) this.#track(job, fields);
      if (job !== '') this.set(active).delete(id);
      this.times(live).delete(id);
      this.#releaseLease(leases, load, id);
      return 'OK';
    },

    redrive: (keys, [letter = '', element = '', id = '', deadline = '', cap, first = '', fields = '']) => {
      const [dead = '', size = '', list = '', live = '', completion = '', cancelled = ''] = keys;
      const [job = '', active = '', recent = ''] = keys.slice(6);
      this.#reach(dead);
      if (!this.list(dead).includes(letter)) return 'GONE';
      if (this.times(live).has(id)) return 'LIVE';
      if (this.times(live).size >= Number(cap)) return 'FULL';
      this.#reach(list);
      this.list(list).push(element);
      this.times(live).set(id, relative(deadline));
      this.#texts.delete(completion);
      this.times(cancelled).delete(id);
      if (job !== '') {
        const before = this.hash(job);
        if (before.size === 0) this.list(recent).unshift(id);
        this.set(active).add(id);
        const missing = Object.entries(JSON.parse(first) as Record<string, string>);
        this.#write(job, missing.filter(([name]) => !before.has(name)).flat());
        this.#track(job, fields);
      }
      this.#removeLetter(dead, size, letter);
      return 'OK';
    },

    'drop-letter': ([dead = '', size = ''], [letter = '']) => {
      this.#reach(dead);
      return this.#removeLetter(dead, size, letter);
    },

    'give-back': ([inFlight = '', list = '', leases = '', load = ''], [old = '', id = '']) => {
      if (!this.list(inFlight).includes(old)) return 'FENCED';
      this.#reach(list);
      removeFirst(this.list(inFlight), old);
      this.list(list).unshift(old);
      this.#releaseLease(leases, load, id);
      return 'OK';
    },

    beat: ([workers = '', replicas = '', replica = '', leases = '', load = ''], args) => {
      const [leaseMs = '', members = '[]', url = '', workerName = '', slots = '', state = '', list = ''] =
        args;
      for (const member of JSON.parse(members) as string[]) this.times(workers).set(member, Number(leaseMs));
      if (replicas !== '') {
        this.times(replicas).set(url, Number(leaseMs));
        const beaten = { worker_name: workerName, slots, state, list, until: leaseMs, beat: String(justNow) };
        this.#write(replica, Object.entries(beaten).flat());
        this.#dropPassed(leases);
        this.#mirrorLoad(leases, load);
      }
      return 'now';
    },

    leave: (keys, [url = '', ...members]) => {
      const [workers = '', replicas = '', replica = '', leases = '', load = '', ...inFlight] = keys;
      let left = 0;
      for (const [place, member] of members.entries()) {
        if (this.list(inFlight[place] ?? '').length === 0 && this.times(workers).delete(member)) left += 1;
      }
      if (url !== '') {
        this.times(replicas).set(url, justNow);
        this.#write(replica, ['state', 'down', 'until', String(justNow)]);
        this.#dropPassed(leases);
        this.#mirrorLoad(leases, load);
      }
      return left;
    },

    'start-lease': ([leases = '', load = '', others = '', otherLoad = '', completion = ''], args) => {
      const [id = '', leaseMs] = args;
      if (this.#texts.has(completion)) return 'ENDED';
      this.times(leases).set(id, Number(leaseMs));
      this.#mirrorLoad(leases, load);
      this.#releaseLease(others, otherLoad, id);
      return 'OK';
    },

    'renew-leases': ([leases = ''], [leaseMs, ...ids]) =>
      ids.filter((id) => {
        if (!this.times(leases).has(id)) return true;
        this.times(leases).set(id, Number(leaseMs));
        return false;
      }),

    'sweep-replica': (keys, [url = '', forgetMs]) => {
      const [replicas = '', replica = '', leases = '', load = '', own = '', shared = ''] = keys;
      if (this.#isAlive(replicas, url)) return 'ALIVE';
      const returned = this.list(own).splice(0);
      this.list(shared).unshift(...returned);
      this.#dropPassed(leases);
      this.#mirrorLoad(leases, load);
      this.hash(replica).set('state', 'down');
      const lapsed = this.times(replicas).get(url);
      if (lapsed !== undefined && -lapsed > Number(forgetMs) && this.times(leases).size === 0) {
        this.times(replicas).delete(url);
        this.hash(replica).clear();
        this.#texts.delete(load);
      }
      return returned.length;
    },

    'return-list': ([own = '', shared = ''], [limit]) => {
      const list = this.list(own);
      const returned = list.splice(Math.max(0, list.length - Number(limit)));
      this.list(shared).unshift(...returned);
      return returned.length;
    },

    overdue: (keys) =>
      keys.map((key) =>
        [...this.times(key)]
          .filter(([, time]) => time < 0)
          .map(([member]) => member)
          .sort(),
      ),

    'reap-one': ([workers = '', inFlight = '', list = '', leases = '', load = ''], args) => {
      const [member = '', old = '', element = '', end, id = ''] = args;
      if (this.#isAlive(workers, member)) return 'ALIVE';
      if (!this.list(inFlight).includes(old)) return 'GONE';
      this.#reach(list);
      removeFirst(this.list(inFlight), old);
      if (end === 'HEAD') this.list(list).unshift(element);
      else this.list(list).push(element);
      this.#releaseLease(leases, load, id);
      return 'OK';
    },

    'forget-worker': ([workers = '', inFlight = ''], [member = '']) => {
      if (this.#isAlive(workers, member)) return 'ALIVE';
      if (this.list(inFlight).length > 0) return 'BUSY';
      this.times(workers).delete(member);
      return 'OK';
    },

    'adopt-orphan': ([workers = '', inFlight = ''], [member = '', leaseMs]) => {
      if (this.times(workers).has(member)) return 'KNOWN';
      if (this.list(inFlight).length === 0) return 'EMPTY';
      this.times(workers).set(member, Number(leaseMs));
      return 'OK';
    },

    'expire-one': (
      [live = '', completion = '', job = '', active = ''],
      [id = '', value = '', fields = ''],
    ) => {
      const deadline = this.times(live).get(id);
      if (deadline === undefined) return 'GONE';
      if (deadline > 0) return 'EARLY';
      const stored = this.#complete(completion, value);
      if (stored && job !== '' && this.hash(job).size > 0) this.#track(job, fields);
      this.times(live).delete(id);
      this.set(active).delete(id);
      return 'OK';
    },

    cancel: ([cancelled = ''], [id = '', keepMs]) => {
      this.#dropPassed(cancelled);
      this.times(cancelled).set(id, Number(keepMs));
      return 'OK';
    },

    begin: ([inFlight = '', live = '', job = '', active = '', recent = ''], args) => {
      const [old = '', id = '', deadline = '', first = '{}', fields = '{}'] = args;
      const known = this.hash(job).has('status');
      if (old !== '') {
        if (!this.list(inFlight).includes(old)) return 'FENCED';
        if (!this.times(live).has(id)) this.times(live).set(id, relative(deadline));
        if (this.#hasEnded(job)) this.hash(job).clear();
      } else if (this.#hasEnded(job)) return 'OVER';
      if (!known) this.list(recent).unshift(id);
      this.set(active).add(id);
      for (const [name, value] of Object.entries(JSON.parse(first) as Record<string, string>)) {
        if (!this.hash(job).has(name)) this.hash(job).set(name, value);
      }
      this.#track(job, fields);
      return 'OK';
    },

    mark: ([job = ''], [fields = '{}']) => {
      if (!this.hash(job).has('status')) return 'GONE';
      if (this.#hasEnded(job)) return 'OVER';
      const changes = JSON.parse(fields) as Record<string, string>;
      const said = this.hash(job).get('progress');
      if (changes.progress !== undefined && said !== undefined && Number(changes.progress) < Number(said)) {
        changes.progress = said;
      }
      this.#track(job, JSON.stringify(changes));
      return 'OK';
    },

    'sweep-active': ([active = '', ...jobs], ids) =>
      ids.filter((id, place) => {
        const job = jobs[place] ?? '';
        const over = !this.hash(job).has('status') || this.#hasEnded(job);
        return over && this.set(active).delete(id);
      }).length,

    inspect: ([list = '', retry = '', dead = '', ...inFlight]) => {
      for (const key of [list, retry, dead]) this.#reach(key);
      const head = this.list(list)[0] ?? '';
      return [
        this.list(list).length,
        inFlight.reduce((sum, key) => sum + this.list(key).length, 0),
        this.times(retry).size,
        this.list(dead).length,
        /"enqueued_at":(\d+)/.exec(head)?.[1] ?? '',
        /^\s*\{/.test(head) || Buffer.byteLength(head) > 256 ? '' : head,
      ];
    },
  };

  #write(hash: string, flat: string[]): void {
    for (const [name = '', value = ''] of pairs(flat, 2)) this.hash(hash).set(name, value);
  }

  /** So that a new script is not forgotten. */
  knows(name: ScriptName): boolean {
    return this.#scripts[name] !== undefined;
  }
}

function made<Value>(store: Map<string, Value>, key: string, make: () => Value): Value {
  const found = store.get(key);
  if (found !== undefined) return found;
  const fresh = make();
  store.set(key, fresh);
  return fresh;
}

function pairs(flat: readonly string[], size: number): string[][] {
  return Array.from({ length: flat.length / size }, (_, place) =>
    flat.slice(place * size, (place + 1) * size),
  );
}

function together(words: string[]): ModelReply {
  return words.every((said) => said === 'OK') ? 'OK' : words;
}

function removeFirst(list: string[], element: string): boolean {
  const place = list.indexOf(element);
  if (place < 0) return false;
  list.splice(place, 1);
  return true;
}

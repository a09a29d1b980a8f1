/**
 * Who is next into the chain, when tenants share it (docs/decisions/0026). Its lists are first come, first served: what
 * one tenant has put there everybody else waits behind. So a tenant's questions beyond its part wait here, in the
 * gateway, where they cost nobody anything, and go in by turns of tenants as its own come out.
 *
 *   nobody else has asked for a minute    twice as much as the chain can work on, and some: it never runs dry, and what
 *                                         a newcomer finds before it is a round or two
 *   others have                           what they leave of the chain's width: who waits for turns too is counted with
 *                                         what it has in, everybody else with as many as it lately had at a time and one
 *                                         more; never less than an equal part, never less than one
 *
 * So whoever stays below its part goes in at once, however long the line of another; the one place that is kept for it
 * is why it finds a slot free. The width is the generators' slots, or less (chain-window.ts). Nothing is asked of Redis, and each gateway judges by what it sees itself.
 */
export interface TenantTurns {
  /** Null: it is in. Else resolves when it is its turn. @throws AbortError when the signal fires first */
  enter(tenant: string, signal: AbortSignal): Promise<void> | null;
  /** Once for each that is in. */
  leave(tenant: string): void;
  /** Of this tenant, in or waiting: how many, and what part of the chain is theirs. */
  standing(tenant: string): Part & { own: number };
  /** Somebody waits. */
  hasLine(): boolean;
}

interface Part {
  part: number;
  /** Of the chain: it goes on at this share of its pace. */
  share: number;
  isShared: boolean;
}

interface Waiting {
  begin(): void;
}

interface Tenant {
  inside: number;
  waiting: Waiting[];
  askedAt: number;
  /** Most at a time in the present span and in the one before. */
  peak: number;
  peakBefore: number;
  spanSince: number;
}

/** Whoever has not asked for so long is not counted with; a gateway sees most tenants far more often than that. */
const activeMs = 60_000;
/** A lone tenant may have so many more than twice the slots: the encoder and the retriever want to be busy too. */
const spare = 16;

export function createTenantTurns(options: {
  /** How many questions the chain can work on at a time; 0: unknown, and nobody is held up. */
  width: () => number;
  now?: () => number;
}): TenantTurns {
  const { width, now = () => performance.now() } = options;
  // In the order of their turns: whoever had one is inserted again, at the end.
  const tenants = new Map<string, Tenant>();

  function known(name: string): Tenant {
    const at = now();
    let tenant = tenants.get(name);
    if (tenant === undefined) {
      tenant = { inside: 0, waiting: [], askedAt: at, peak: 0, peakBefore: 0, spanSince: at };
      tenants.set(name, tenant);
    }
    return tenant;
  }

  function isActive({ inside, waiting, askedAt }: Tenant, at: number): boolean {
    return inside > 0 || waiting.length > 0 || at - askedAt < activeMs;
  }

  function noteInside(tenant: Tenant, at: number): void {
    if (at - tenant.spanSince >= activeMs) {
      tenant.peakBefore = at - tenant.spanSince < 2 * activeMs ? tenant.peak : 0;
      tenant.peak = 0;
      tenant.spanSince = at;
    }
    tenant.peak = Math.max(tenant.peak, tenant.inside);
  }

  function lately({ peak, peakBefore, inside }: Tenant): number {
    return Math.max(peak, peakBefore, inside);
  }

  function partOf(name: string): Part {
    const whole = Math.floor(width());
    if (whole <= 0) return { part: Number.POSITIVE_INFINITY, share: 1, isShared: false };
    const at = now();
    let active = 1;
    let left = whole;
    for (const [other, tenant] of tenants) {
      if (other === name) continue;
      if (!isActive(tenant, at)) {
        tenants.delete(other);
        continue;
      }
      active += 1;
      left -= tenant.waiting.length > 0 ? tenant.inside : lately(tenant) + 1;
    }
    if (active === 1) return { part: Math.min(4 * whole, 2 * whole + spare), share: 1, isShared: false };
    const part = Math.max(1, Math.floor(whole / active), left);
    return { part, share: Math.min(1, part / whole), isShared: true };
  }

  function grant(): void {
    for (let found = true; found; ) {
      found = false;
      for (const [name, tenant] of tenants) {
        if (tenant.waiting.length === 0 || tenant.inside >= partOf(name).part) continue;
        const next = tenant.waiting.shift();
        tenants.delete(name);
        tenants.set(name, tenant);
        next?.begin();
        found = true;
        break;
      }
    }
  }

  return {
    enter(name, signal) {
      const tenant = known(name);
      const at = now();
      tenant.askedAt = at;
      const begin = () => {
        tenant.inside += 1;
        noteInside(tenant, now());
      };
      if (tenant.waiting.length === 0 && tenant.inside < partOf(name).part) {
        begin();
        return null;
      }
      return new Promise((resolve, reject) => {
        const giveUp = () => {
          const place = tenant.waiting.indexOf(waiting);
          if (place !== -1) tenant.waiting.splice(place, 1);
          reject(new DOMException('nobody waits for its turn any more', 'AbortError'));
        };
        const waiting: Waiting = {
          begin() {
            signal.removeEventListener('abort', giveUp);
            begin();
            resolve();
          },
        };
        if (signal.aborted) return giveUp();
        signal.addEventListener('abort', giveUp, { once: true });
        tenant.waiting.push(waiting);
        // Its part may have grown since the last one left: a tenant beside it has fallen silent.
        grant();
      });
    },
    leave(name) {
      const tenant = tenants.get(name);
      if (tenant !== undefined) tenant.inside -= 1;
      grant();
    },
    hasLine() {
      for (const { waiting } of tenants.values()) if (waiting.length > 0) return true;
      return false;
    },
    standing(name) {
      const { inside, waiting } = tenants.get(name) ?? { inside: 0, waiting: [] };
      return { own: inside + waiting.length, ...partOf(name) };
    },
  };
}

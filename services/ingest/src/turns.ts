/**
 * Who may send the next group to the encoder. The encoder's lane is one list, first come, first served: a tenant
 * with a thousand waiting groups would hold everybody else up for all of them. So only a few groups are let onto
 * the list, and who is next is decided here: tenants take turns, and within a tenant its documents do. The few are still
 * a second of work, so who has none under way while others have goes to the head of the list with its first: it is before
 * others with one group of each tenant at most, and those who have many under way lose nothing by it.
 */
export interface Turns {
  /**
   * Resolves when it is this document's turn.
   * @param places what the group takes. It begins when one is free, so the last may take more than there were:
   *   a large one is not overtaken by small ones for ever.
   * @throws AbortError when the signal fires first.
   */
  take(tenant: string, document: string, signal: AbortSignal, places?: number): Promise<Turn>;
}

export interface Turn {
  /** Before what others have on the list. */
  first: boolean;
  /** Gives the places back; twice is once. */
  giveBack(): void;
}

interface Waiting {
  places: number;
  tenant: string;
  begin(turn: Turn): void;
}

/** @param places of all documents together that may be under way. */
export function createTurns(places: number): Turns {
  let taken = 0;
  /** Groups under way, by tenant; none is 0. */
  const underWay = new Map<string, number>();
  // Maps keep the order of insertion: whoever had a turn is inserted again, at the end.
  const tenants = new Map<string, Map<string, Waiting[]>>();

  function next(): Waiting | undefined {
    const [tenant, documents] = first(tenants);
    if (tenant === undefined || documents === undefined) return undefined;
    tenants.delete(tenant);
    const [document, waiting] = first(documents);
    if (document === undefined || waiting === undefined) return next();
    documents.delete(document);
    const chosen = waiting.shift();
    if (waiting.length > 0) documents.set(document, waiting);
    if (documents.size > 0) tenants.set(tenant, documents);
    return chosen ?? next();
  }

  function grant(): void {
    while (taken < places) {
      const chosen = next();
      if (chosen === undefined) return;
      const { tenant, places: given } = chosen;
      const own = underWay.get(tenant) ?? 0;
      const first = own === 0 && underWay.size > 0;
      taken += given;
      underWay.set(tenant, own + 1);
      chosen.begin({ first, giveBack: release(tenant, given) });
    }
  }

  function release(tenant: string, given: number): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      taken -= given;
      const left = (underWay.get(tenant) ?? 1) - 1;
      if (left === 0) underWay.delete(tenant);
      else underWay.set(tenant, left);
      grant();
    };
  }

  return {
    take(tenant, document, signal, wanted = 1) {
      return new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const documents = tenants.get(tenant) ?? new Map<string, Waiting[]>();
        const line = documents.get(document) ?? [];
        tenants.set(tenant, documents);
        documents.set(document, line);
        const leave = () => {
          const place = line.indexOf(waiting);
          if (place !== -1) line.splice(place, 1);
          reject(new DOMException('the document is no longer wanted', 'AbortError'));
        };
        const waiting: Waiting = {
          places: wanted,
          tenant,
          begin(turn) {
            signal.removeEventListener('abort', leave);
            resolve(turn);
          },
        };
        signal.addEventListener('abort', leave, { once: true });
        line.push(waiting);
        grant();
      });
    },
  };
}

function first<Key, Value>(map: Map<Key, Value>): [Key, Value] | [undefined, undefined] {
  for (const entry of map) return entry;
  return [undefined, undefined];
}
